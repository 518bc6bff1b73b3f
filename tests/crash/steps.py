"""What the stories have in common. Nothing here minds that the operator is away for a while."""

import asyncio
from datetime import UTC, datetime
from typing import Final

from tests.integration.stage import Stage
from tests.integration.team import DEPLOYMENT, POLICY, SERVICE, Manifest
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer, trains
from tests.stand_ins.live_figures import Figures

BAD: Final = Figures(errors=500)
_REPEATED_EVERY_S: Final = 0.3


async def first_version(stage: Stage, **changes: object) -> str:
    """Have a platform and a policy, and return the version that then serves."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.given_a_platform()
    await stage.given_a_policy(**{"serving": serving(stage)} | changes)
    await trained(stage, "churn-1")
    return await served(stage, "churn-1")


def serving(stage: Stage, **traffic: object) -> Manifest:
    """Return the `serving` of a policy, by replicas or by the `traffic` given; the Service answers at the port of its pods."""
    service = {"name": SERVICE, "port": stage.models.port, "targetPort": stage.models.port}
    return {"deploymentRef": {"name": DEPLOYMENT}, "replicas": 2, "service": service} | ({"traffic": traffic} if traffic else {})


async def next_version(stage: Stage, run: str, episode: str) -> str:
    """Have an alert cause a run, and return its version once it is trained."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))  # now: the operator may die before it answers, with the run made already
    await alerted(stage, episode)
    return await trained(stage, run)


async def served(stage: Stage, run: str) -> str:
    """Return the version of a run that ended well once the policy's status names it: an alert before that speaks of another one."""
    version = str((await stage.then_run_ends(run, "Succeeded"))["status"]["version"])
    await stage.then(lambda: champion(stage) == version, f"the status names {version}")
    return version


async def trained(stage: Stage, run: str, **figures: float) -> str:
    """Let a training end only once it is known to have begun, so that every run goes through the same phases; returns its version."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    seen = await stage.then_run_is_in(run, "Training")
    stage.kubelet.play(trainer=FakeTrainer(train=trains(**figures)))
    return str(seen["status"]["version"])


async def alerted(stage: Stage, fingerprint: str, **labels: str) -> None:
    """Post an alert until it is taken, as Alertmanager does while the operator is away."""
    since = datetime.now(UTC)
    while await stage.when_paged(fingerprint, since, **labels) != 200:  # noqa: ASYNC110 - the repeating is what is played
        await asyncio.sleep(_REPEATED_EVERY_S)


async def asked_back(stage: Stage, version: str, nonce: str) -> None:
    """Have a person ask for a version, and return once the status says that this was heard."""
    await stage.when_told(rollback=f"{version}@{nonce}")
    await stage.then(lambda: (stage.command("rollback") or ("",))[0] == f"{version}@{nonce}", f"{version} is asked for")


def is_heard(stage: Stage, run: str) -> bool:
    """Say whether the Service was heard to answer after a run's return."""
    found: Manifest = stage.seen.one("modelretrainruns", run) or {}
    return bool(found["status"]["returnCheck"]["reason"] != "Pending")


def champion(stage: Stage) -> str | None:
    """Return the version that the policy's status says serves."""
    found: Manifest = stage.policy_status(POLICY).get("champion") or {}
    return found.get("version")

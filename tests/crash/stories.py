"""The stories that the operator is killed in. Each begins with a policy and goes on whatever happens to the operator meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from typing import Final

from tests.integration import team
from tests.integration.stage import Stage
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer, trains
from tests.stand_ins.live_figures import Figures

Story = Callable[[Stage], Awaitable[None]]

FOUND: Final = {"app": team.DEPLOYMENT}
PAGED: Final = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift"}}}
URGENT: Final = {"name": "urgent", "priority": 80, "alert": {"matchLabels": {"alertname": "Outage"}}}
_REPEATED_EVERY_S: Final = 0.3
_WITHIN_S: Final = 300.0


async def promotion(stage: Stage) -> None:
    """A first version, an alert, two canary steps, a promotion, and a watch that ends well."""
    await first_version(stage, rollout={"stepWeights": [20, 50], "watch": {"duration": "2s"}})
    await alerted(stage, "a1")
    await trained(stage, "churn-2")
    await ended(stage, "churn-2", "Succeeded")


async def failed_canary(stage: Stage) -> None:
    """A candidate that errs in its canary."""
    champion = await first_version(stage, rollout={"stepWeights": [20]})
    stage.figures.of = lambda version: Figures(errors=0 if version == champion else 500)
    await alerted(stage, "b1")
    await trained(stage, "churn-2")
    await ended(stage, "churn-2", "RolledBack")


async def failed_watch(stage: Stage) -> None:
    """A candidate that errs once it has all the traffic."""
    champion = await first_version(stage, rollout={"stepWeights": [], "watch": {"duration": "1h"}})
    stage.figures.of = lambda version: Figures(errors=0 if version == champion else 500)
    await alerted(stage, "c1")
    await trained(stage, "churn-2")
    await ended(stage, "churn-2", "RolledBack")


async def contention(stage: Stage) -> None:
    """A person's run trains; one that an alert asks for gives way to a more urgent one, which the gate rejects once the first is aborted.

    History is kept of one run beside the champion's, and the daily report is called off in the end.
    """
    await first_version(stage, runHistoryLimit=1, triggers=[PAGED, URGENT], report={})
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.when_a_person_starts("by-hand")
    await stage.then_run_is_in("by-hand", "Training", within=_WITHIN_S)
    await alerted(stage, "d1")
    await stage.then_run_is_in("churn-2", "Pending", within=_WITHIN_S)
    await alerted(stage, "d2", alertname="Outage")
    await ended(stage, "churn-2", "Superseded")
    await stage.when_annotated("by-hand", abort="by-hand")
    await ended(stage, "by-hand", "Aborted")
    await trained(stage, "churn-3", accuracy=0.5)
    await ended(stage, "churn-3", "GateRejected")
    await stage.then(lambda: stage.seen.one("modelretrainruns", "churn-2") is None, "the older run is pruned", _WITHIN_S)
    await stage.when_changed(report=None)
    await stage.then(lambda: is_called_off(stage), "the change is looked at", _WITHIN_S)


async def adoption(stage: Stage) -> None:
    """What serves already is taken over, and handed back with the end of its policy."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await git_holds(stage, replicas=2, selector=True)
    await stage.given_a_policy(deletionPolicy="HandBack")
    await stage.then(lambda: ready_for(stage, "SelectorOwnedByOther"), "the selector is asked for", _WITHIN_S)
    await git_holds(stage, replicas=2, selector=False)
    await stage.then(lambda: ready_for(stage, "TemplateStillRunning"), "what serves is adopted", _WITHIN_S)
    await git_holds(stage, replicas=0, selector=False)
    await stage.then(lambda: ready_for(stage, "Accepted"), "the policy is accepted", _WITHIN_S)
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    await stage.then(lambda: stage.service()["spec"]["selector"] == FOUND, "the Service is handed back", _WITHIN_S)
    await git_holds(stage, replicas=2, selector=True)


FROM_A_FIRST_VERSION: Final = frozenset({"promotion", "failed-canary", "failed-watch", "contention"})
"""The stories that begin alike."""

STORIES: Final[Mapping[str, Story]] = {
    "promotion": promotion,
    "failed-canary": failed_canary,
    "failed-watch": failed_watch,
    "contention": contention,
    "adoption": adoption,
}


async def git_holds(stage: Stage, *, replicas: int, selector: bool) -> None:
    """Apply the Deployment and the Service as a team's repository has them."""
    await stage.api.apply("deployments", team.deployment(stage.namespace, replicas=replicas))
    await stage.api.apply("services", team.service(stage.namespace, **(FOUND if selector else {})))


def is_called_off(stage: Stage) -> bool:
    """Say whether a round has seen the policy without its report; spec and generation are of one object, so none of them is older."""
    policy = stage.seen.one("modelretrainpolicies", "churn")
    if policy is None or policy["spec"].get("report") is not None:
        return False
    return bool(stage.policy_status().get("observedGeneration") == policy["metadata"]["generation"])


def ready_for(stage: Stage, reason: str) -> bool:
    """Say whether the policy is ready, or not, for a reason."""
    return (stage.condition("Ready") or {}).get("reason") == reason


async def first_version(stage: Stage, **changes: object) -> str:
    """Have a platform and a policy, and return the version that then serves."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.given_a_platform()
    await stage.given_a_policy(**changes)
    await trained(stage, "churn-1")
    run = await ended(stage, "churn-1", "Succeeded")
    version = str(run["status"]["version"])
    # An alert that began before the status names the champion speaks of another one.
    served = lambda: (stage.policy_status().get("champion") or {}).get("version") == version  # noqa: E731 - as `then` takes it
    await stage.then(served, f"the status names {version}", _WITHIN_S)
    return version


async def trained(stage: Stage, run: str, **figures: float) -> None:
    """Let a training end only once it is known to have begun, so that every run goes through the same phases."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.then_run_is_in(run, "Training", within=_WITHIN_S)
    stage.kubelet.play(trainer=FakeTrainer(train=trains(**figures)))


async def alerted(stage: Stage, fingerprint: str, **labels: str) -> None:
    """Post an alert until it is taken, as Alertmanager does while the operator is away."""
    since = datetime.now(UTC)
    while await stage.when_paged(fingerprint, since, **labels) != 200:  # noqa: ASYNC110 - the repeating is what is played
        await asyncio.sleep(_REPEATED_EVERY_S)


async def ended(stage: Stage, run: str, outcome: str) -> dict[str, object]:
    """Return a run once it has ended so."""
    return await stage.then_run_ends(run, outcome, within=_WITHIN_S)

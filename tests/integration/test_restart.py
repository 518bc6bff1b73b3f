"""A run goes through a kill of the operator in any of its phases to the outcome it would have had."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import pytest
import pytest_asyncio

from retrainer.core.phases import Phase
from tests.integration.stage import Stage, Theatre
from tests.integration.team import Manifest
from tests.stand_ins.fake_trainer import HANGS, UNSCHEDULABLE, FakeTrainer, trains
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

CANARY = {"rollout": {"stepWeights": [20]}}
WATCHED = {"rollout": {"stepWeights": [], "watch": {"duration": "1h"}}}
Act = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hold:
    """How a run is brought into a phase and kept there, how it is let go, and how it must end."""

    run: str
    arrange: Act
    release: Act
    outcome: str = "Succeeded"
    reason: str = "Promoted"


async def nothing(_: Stage) -> None:
    """Do nothing."""


async def a_policy(stage: Stage, **changes: Any) -> None:  # noqa: ANN401 - fields of the spec
    await stage.given_a_platform()
    await stage.given_a_policy(**changes)


async def pending(stage: Stage) -> None:
    await a_policy(stage, suspend=True)
    await stage.when_a_person_starts("by-hand")


async def resume(stage: Stage) -> None:
    await stage.when_changed(suspend=False)


def trainer(**behaviour: Any) -> Act:  # noqa: ANN401 - fields of FakeTrainer
    async def arrange(stage: Stage) -> None:
        stage.kubelet.play(trainer=FakeTrainer(**behaviour))
        await a_policy(stage)

    return arrange


async def good_trainer(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer())


async def gating(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await a_policy(stage)
    await stage.then_run_is_in("churn-1", "Training")
    await stage.when_changed(suspend=True)
    await good_trainer(stage)


async def awaiting_approval(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.7)))
    await a_policy(stage, gate={"metrics": [{"name": "accuracy", "min": 0.85}], "onFailure": "RequireApproval"})


async def approve(stage: Stage) -> None:
    run = stage.seen.one("modelretrainruns", "churn-1")
    assert run is not None
    await stage.when_annotated("churn-1", approve=run["status"]["version"])


async def deploying(stage: Stage) -> None:
    stage.kubelet.play(admits=lambda version, ready: False)
    await a_policy(stage)


async def admit(stage: Stage) -> None:
    stage.kubelet.play(admits=lambda version, ready: True)


async def smoke_testing(stage: Stage) -> None:
    stage.models.says = lambda version: None
    await a_policy(stage)


async def answer(stage: Stage) -> None:
    stage.models.says = lambda version: 200


async def canary(stage: Stage) -> None:
    await stage.given_a_champion(**CANARY)
    stage.figures.of = lambda version: None
    assert await stage.when_paged() == 200


async def good_figures(stage: Stage) -> None:
    stage.figures.of = lambda version: Figures()


async def promoting(stage: Stage) -> None:
    champion = await stage.given_a_champion(**CANARY)
    stage.kubelet.play(admits=lambda version, ready: version == champion or ready < 1)
    assert await stage.when_paged() == 200


async def watching(stage: Stage) -> None:
    await stage.given_a_champion(**WATCHED)
    assert await stage.when_paged() == 200


async def bad_figures(stage: Stage) -> None:
    candidate = stage.policy_status()["champion"]["version"]
    stage.figures.of = lambda version: Figures(errors=500 if version == candidate else 0)


HOLDS: Mapping[Phase, Hold] = {
    Phase.PENDING: Hold("by-hand", pending, resume),
    Phase.VALIDATING: Hold("churn-1", trainer(validate=HANGS), good_trainer),
    Phase.QUEUED: Hold("churn-1", trainer(train=UNSCHEDULABLE), good_trainer),
    Phase.TRAINING: Hold("churn-1", trainer(train=HANGS), good_trainer),
    Phase.GATING: Hold("churn-1", gating, resume),
    Phase.AWAITING_APPROVAL: Hold("churn-1", awaiting_approval, approve),
    Phase.DEPLOYING: Hold("churn-1", deploying, admit),
    Phase.SMOKE_TESTING: Hold("churn-1", smoke_testing, answer),
    Phase.CANARY: Hold("churn-2", canary, good_figures),
    Phase.PROMOTING: Hold("churn-2", promoting, admit),
    Phase.WATCHING: Hold("churn-2", watching, bad_figures, "RolledBack", "RegressionInWatch"),
    Phase.FINISHED: Hold("churn-1", trainer(), nothing),
}
IMPATIENT: Final = Phase.SMOKE_TESTING


class Left(NamedTuple):
    """A stage, and its run as the operator left it."""

    stage: Stage
    before: Manifest


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def killed(theatre: Theatre) -> AsyncIterator[Mapping[Phase, Left]]:
    """Give each phase its stage, with a run that was held in it while the operator was killed; it has been started again.

    A smoke test that nobody answers ends by itself after 30 s: its run comes last, and is let go before the operator is back.
    """
    async with AsyncExitStack() as open_stages:
        stages = {phase: await open_stages.enter_async_context(theatre.stage(phase.lower())) for phase in HOLDS}
        for phases in ([phase for phase in HOLDS if phase is not IMPATIENT], [IMPATIENT]):
            await asyncio.gather(*(HOLDS[phase].arrange(stages[phase]) for phase in phases))
            for phase in phases:
                await stages[phase].then_run_is_in(HOLDS[phase].run, phase)
        theatre.operator.kill()
        left = {phase: Left(stages[phase], await stages[phase].then_run_is_in(hold.run, phase)) for phase, hold in HOLDS.items()}
        await HOLDS[IMPATIENT].release(stages[IMPATIENT])
        await theatre.operator.start()
        yield left


@pytest.mark.parametrize("phase", list(Phase))
async def test_a_run_outlives_a_kill_of_the_operator(killed: Mapping[Phase, Left], phase: Phase) -> None:
    (stage, before), hold = killed[phase], HOLDS[phase]
    assert before["status"]["phase"] == phase
    await hold.release(stage)
    run = await stage.then_run_ends(hold.run, hold.outcome, hold.reason)
    version = run["status"]["version"]
    assert before["status"].get("version") in {None, version}
    assert stage.kubelet.trained.count(version) == 1, "trained once"
    await stage.then_serves(version if hold.outcome == "Succeeded" else run["status"]["frozen"]["champion"])


async def test_a_finished_run_is_not_written_again_after_a_restart(killed: Mapping[Phase, Left]) -> None:
    stage, _ = killed[Phase.FINISHED]
    written = await stage.audit.writes(stage.namespace, "modelretrainruns", "status")
    assert len(written) == len(stage.seen.versions["modelretrainruns", "churn-1"]) - 1, (
        "each write changed something; the first was a creation"
    )

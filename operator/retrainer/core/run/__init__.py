"""What a run does next, one file a phase group. `advance` is the only door."""

from typing import assert_never

from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.run.approval import awaiting_approval
from retrainer.core.run.canary import canary
from retrainer.core.run.deploying import deploying, smoke_testing
from retrainer.core.run.displacement import displaced
from retrainer.core.run.emergency import overtaken
from retrainer.core.run.gate import gating
from retrainer.core.run.interruption import interrupted
from retrainer.core.run.pending import pending
from retrainer.core.run.promoting import promoting, watching
from retrainer.core.run.redeploying import redeploying
from retrainer.core.run.return_check import finished
from retrainer.core.run.rollback import withdrawn
from retrainer.core.run.step import Step
from retrainer.core.run.training import training
from retrainer.core.run.validating import validating


def advance(run: RunSeen, seen: Observation) -> Step:  # noqa: C901, PLR0912 - one case a phase, nothing more
    """Return what the run does in this round: its next status, and the effects that come before it is written."""
    if (step := withdrawn(run, seen) or interrupted(run, seen) or displaced(run, seen) or overtaken(run, seen)) is not None:
        return step
    match run.status.phase:
        case Phase.PENDING:
            return redeploying(run, seen) if run.redeploys else pending(run, seen)
        case Phase.VALIDATING:
            return validating(run, seen)
        case Phase.QUEUED | Phase.TRAINING:
            return training(run, seen)
        case Phase.GATING:
            return gating(run, seen)
        case Phase.AWAITING_APPROVAL:
            return awaiting_approval(run, seen)
        case Phase.DEPLOYING:
            return deploying(run, seen)
        case Phase.SMOKE_TESTING:
            return smoke_testing(run, seen)
        case Phase.CANARY:
            return canary(run, seen)
        case Phase.PROMOTING:
            return promoting(run, seen)
        case Phase.WATCHING:
            return watching(run, seen)
        case Phase.FINISHED:
            return finished(run, seen)
        case unknown:
            assert_never(unknown)

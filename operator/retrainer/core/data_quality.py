"""What the latest look at the data came to: the condition `DataQuality`."""

from collections.abc import Mapping
from typing import Final

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase

Told = tuple[bool | None, str, str]

_PASSED: Final = (True, "ChecksPassed", "the data of the latest training passed its checks")


def data_quality(seen: Observation, runs: Mapping[str, ModelRetrainRunStatus]) -> Told:
    """Return whether the data passed when it was last looked at, with reason and sentence; None before any run has."""
    looks = (told for run in reversed(seen.runs) if not run.redeploys and (told := _told_by(run, runs[run.name], seen)) is not None)
    return next(looks, (None, "NotLookedAt", "no run has looked at the data yet"))


def _told_by(run: RunSeen, after: ModelRetrainRunStatus, seen: Observation) -> Told | None:
    """Return what a run says of the data, or None where it has nothing to say: an older one may."""
    match after.phase:
        case Phase.PENDING:
            return None
        case Phase.VALIDATING if after.recheck_at is not None:
            return False, after.reason, after.message
        case Phase.VALIDATING:
            return _as_before(seen) if after.validations > 1 else None
        case Phase.FINISHED if after.outcome is Outcome.DATA_REJECTED:
            return False, after.reason, f"{run.name}: {after.message}"
        case Phase.FINISHED:
            return _PASSED if after.result is not None or after.outcome is Outcome.DRY_RUN_PASSED else None
        case _:
            return _PASSED


def _as_before(seen: Observation) -> Told | None:
    """Rejected data that is looked at again is no better before that has said so."""
    before = next((one for one in seen.policy.status.conditions if one.type == "DataQuality"), None)
    return (False, before.reason, before.message) if before is not None and before.status == "False" else None

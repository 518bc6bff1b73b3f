"""The places of a fleet: how many runs may train at once, all policies together, and who waits for one."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from retrainer.api.v1alpha1 import ModelRetrainRunSpec, ModelRetrainRunStatus
from retrainer.core.phases import Phase

FLEET_LIMIT: Final = "FleetLimit"
Standing = tuple[bool, datetime, str, str]
"""Where a run stands in the line: an emergency first, then the oldest."""


@dataclass(frozen=True, slots=True)
class Places:
    """The fleet as one run sees it; a limit of 0 is none."""

    limit: int = 0
    taken: int = 0
    line: tuple[Standing, ...] = ()

    def has_one_for(self, run: Standing) -> bool:
        """Say whether a place is left once everybody ahead in the line has taken one."""
        return not self.limit or self.taken + sum(other < run for other in self.line) < self.limit


NO_LIMIT: Final = Places()


def holds_one(spec: ModelRetrainRunSpec, status: ModelRetrainRunStatus) -> bool:
    """Say whether a run has a place: from its first look at the data to the end of its training, unless its data must be mended first."""
    if spec.dry_run:
        return False
    looks_first = status.phase is Phase.VALIDATING and status.validations == 1 and status.recheck_at is None
    return looks_first or status.phase in {Phase.QUEUED, Phase.TRAINING}


def waits_for_one(status: ModelRetrainRunStatus) -> bool:
    """Say whether a run stands in the line."""
    return status.reason == FLEET_LIMIT and status.phase is not Phase.FINISHED

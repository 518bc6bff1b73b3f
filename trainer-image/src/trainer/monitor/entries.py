"""Entries of the ledger, and what a run has to say for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from trainer.monitor.objects import Run

PROMOTED: Final = "Promoted"
WEIGHTED: Final = "Weighted"
RETURNED: Final = "Returned"
ROLLED_BACK: Final = "RolledBack"
ALL: Final = 100
"""The weight, in percent, of a champion that shares its traffic with nobody."""

EntryKey: TypeAlias = tuple[str, str, str, int | None]
"""Run, version, event, and of a weight which. The version, because a policy made again counts its runs from 1 again."""


@dataclass(frozen=True, slots=True)
class AppendEntry:
    """Append to the ledger; `at` None is now.

    `weight` is the share of traffic, in percent, that the version has from then on; None where the entry changes none.
    """

    model_type: str
    version: str
    event: str
    reason: str
    message: str
    run: str
    at: datetime | None
    weight: int | None = None

    @property
    def key(self) -> EntryKey:
        """What makes the entry the same entry."""
        return self.run, self.version, self.event, self.weight if self.event == WEIGHTED else None


def of_run(model_type: str, run: Run) -> Iterator[AppendEntry]:
    """Yield the weights of the run's version, its promotion, and the run's end: in the order in which they happen."""
    version = run.version
    for at, weight in run.weights:
        told = f"{weight} % of the traffic asked for the candidate"
        yield AppendEntry(model_type, version, WEIGHTED, "Canary", told, run.name, at, weight)
    if run.promoted_at is not None:
        yield AppendEntry(model_type, version, PROMOTED, run.trigger, run.cause, run.name, run.promoted_at, ALL)
    if run.outcome is not None:
        lost = 0 if _lost_its_traffic(run) else None
        yield AppendEntry(model_type, version, run.outcome, run.reason, run.message, run.name, run.completed_at, lost)


def _lost_its_traffic(run: Run) -> bool:
    if run.promoted_at is not None:
        return run.outcome == ROLLED_BACK
    return bool(run.weights)

"""The circuit breaker: runs that cure nothing, one after the other, stop by themselves."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from retrainer.core.observation import RunSeen
from retrainer.core.phases import Outcome

INITIAL: Final = "initial"


def is_caused_by_a_trigger(run: RunSeen) -> bool:
    """Say whether a trigger started the run: neither a person nor the want of a first version, and it trains."""
    return run.by_operator and run.spec.trigger != INITIAL and not run.redeploys


def uncured_in_a_row(runs: Sequence[RunSeen], since: datetime | None) -> list[RunSeen]:
    """Return the runs of triggers that ended after `since` and cured nothing, the latest first, back to one that did better.

    What is unknown neither counts nor ends the row; a run that succeeded with nothing to cure, a schedule's, ends it.
    """
    ended = [(at, run) for run in runs if (at := run.status.completed_at) is not None and is_caused_by_a_trigger(run)]
    row: list[RunSeen] = []
    for at, run in sorted(ended, key=lambda pair: (pair[0], pair[1].name), reverse=True):
        if since is not None and at <= since:
            break
        if run.status.cured == "False":
            row.append(run)
        elif run.status.cured == "True" or (run.status.cured is None and run.status.outcome is Outcome.SUCCEEDED):
            break
    return row

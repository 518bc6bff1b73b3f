"""How figures, times and states are worded for people."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from retrainer.api.v1alpha1 import Condition
from retrainer.core.observation import RunSeen
from retrainer.core.phases import Phase

NONE = "–"
_GOOD = frozenset({"Ready", "Serving", "MetricsAvailable", "DataQuality"})
"""Conditions that are as they should be when they are True; of all others it is False."""


def ago(at: datetime | None, now: datetime) -> str:
    """Return an age as kubectl words it: `45s`, `12m`, `3h`, `5d`."""
    if at is None:
        return NONE
    return span(now - at)


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit that is not 0."""
    seconds = max(0, int(length.total_seconds()))
    for unit, size in (("d", 86400), ("h", 3600), ("m", 60)):
        if seconds >= 2 * size or (unit == "d" and seconds >= size):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def stamp(at: datetime | None) -> str:
    """Return a time to the second, in UTC."""
    return NONE if at is None else f"{at:%Y-%m-%d %H:%M:%S}"


def is_good(condition: Condition) -> bool | None:
    """Say whether a condition is as it should be; None where it is not known."""
    if condition.status == "Unknown":
        return None
    return (condition.status == "True") is (condition.type in _GOOD)


def where(run: RunSeen) -> str:
    """Return a run's phase, or its outcome once it has one."""
    return str(run.status.outcome or run.status.phase)


def colour_of(run: RunSeen) -> str:
    """Return the colour in which a run's state is shown."""
    if run.status.phase is not Phase.FINISHED:
        return "cyan"
    return "green" if run.status.outcome in {"Succeeded", "DryRunPassed"} else "red"


def under_way(runs: Sequence[RunSeen]) -> list[RunSeen]:
    """Return the runs that still have something to do."""
    return [run for run in runs if run.live]

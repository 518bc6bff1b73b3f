"""Somebody else changes what carries the traffic: that is undone once, and whoever insists within ten minutes is left alone."""

from datetime import datetime, timedelta
from typing import Final

from retrainer.core.observation import Observation

INSISTS_WITHIN: Final = timedelta(minutes=10)


def may_retake(seen: Observation) -> bool:
    """Say whether a change that somebody else made to the Service or the route is undone.

    Once it was not, it stays so until the other one gives the field up: nobody fights over traffic every ten minutes.
    """
    conditions = {entry.type: entry for entry in seen.policy.status.conditions}
    stalled = "Stalled" in conditions and conditions["Stalled"].reason == "FieldConflict"
    record = seen.carrier
    if stalled or record is None or record.claimed_by != seen.policy.identity.uid:
        return False
    return remembered(record.retaken_at, seen.now) is None


def remembered(retaken_at: datetime | None, now: datetime) -> datetime | None:
    """Return when a change was last undone, or None once that is so long ago that the next one is another matter."""
    return retaken_at if retaken_at is not None and now < retaken_at + INSISTS_WITHIN else None

"""The schedule trigger: at most the latest missed slot, once, and only inside `startingDeadline`."""

import re
from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.run import Evidence
from retrainer.api.v1alpha1.triggers import Schedule, Trigger
from retrainer.core.observation import Observation
from retrainer.core.triggers.finding import Finding

_RANDOM: Final = re.compile(r"\br\b", re.IGNORECASE)


class ScheduleError(ValueError):
    """The fields are no schedule, or the zone is unknown."""


def look(trigger: Trigger, seen: Observation) -> list[Finding]:
    """Return the latest slot that is due, or when the next one is."""
    assert trigger.schedule is not None
    try:
        latest, upcoming = slots(trigger.schedule, seen.now)
    except ScheduleError as error:
        return [Finding(trigger.name, "ScheduleInvalid", f"{error}: correct spec.triggers[{trigger.name}].schedule")]
    waits = (upcoming - seen.now).total_seconds()
    if latest < seen.policy.identity.created or latest in _used_slots(trigger, seen):
        return [Finding(trigger.name, "NotDue", f"the next slot is {upcoming:%Y-%m-%d %H:%M} UTC", look_again_in=waits)]
    if (seen.now - latest).total_seconds() > seconds(trigger.schedule.starting_deadline):
        told = f"the slot of {latest:%Y-%m-%d %H:%M} UTC was missed; the next is {upcoming:%Y-%m-%d %H:%M} UTC"
        return [Finding(trigger.name, "SlotMissed", told, look_again_in=waits)]
    evidence = Evidence(trigger=trigger.name, starts_at=latest, message=f"the slot of {latest:%Y-%m-%d %H:%M} UTC")
    return [Finding(trigger.name, "ScheduleDue", evidence.message, evidence, look_again_in=waits)]


def slots(schedule: Schedule, now: datetime) -> tuple[datetime, datetime]:
    """Return the latest slot at or before `now` and the next one after it, in UTC.

    The hour that autumn repeats has the slots of a fixed hour once, as cron has always had it; those of every hour (`*`) twice.
    Raises ScheduleError.
    """
    if _RANDOM.search(schedule.cron):
        raise ScheduleError(f"{schedule.cron!r} is random: a schedule must name the same slots whenever it is asked")
    fixed = not schedule.cron.split()[1].startswith("*")
    try:
        cron = croniter(schedule.cron, now.astimezone(_zone(schedule.time_zone)), ret_type=datetime)
        upcoming: datetime = cron.get_next()
        while fixed and _is_repeated(upcoming):
            upcoming = cron.get_next()
        latest: datetime = cron.get_prev()
        while latest.astimezone(UTC) > now or (fixed and _is_repeated(latest)):
            latest = cron.get_prev()
    except CroniterError as error:
        raise ScheduleError(str(error)) from error
    return latest.astimezone(UTC), upcoming.astimezone(UTC)


def _is_repeated(slot: datetime) -> bool:
    """Say whether the clock has shown this time before; croniter sets `fold` on times that are not ambiguous, too."""
    return bool(slot.fold) and slot.replace(fold=0).utcoffset() != slot.utcoffset()


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, such as `Europe`, is an OSError
        raise ScheduleError(f"{name!r} is no IANA time zone") from None


def next_slot(triggers: tuple[Trigger, ...], now: datetime) -> datetime | None:
    """Return the next slot of any schedule, or None without a valid one."""
    upcoming = []
    for trigger in triggers:
        if trigger.schedule is not None:
            try:
                upcoming.append(slots(trigger.schedule, now)[1])
            except ScheduleError:
                continue
    return min(upcoming, default=None)


def _used_slots(trigger: Trigger, seen: Observation) -> frozenset[datetime]:
    used = {item.starts_at for run in seen.runs for item in (*run.spec.evidence, *run.status.evidence) if item.trigger == trigger.name}
    remembered = {status.last_slot for status in seen.policy.status.triggers if status.name == trigger.name and status.last_slot}
    return frozenset(used | remembered)

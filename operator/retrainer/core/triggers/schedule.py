"""The schedule trigger: at most the latest missed slot, once, and only inside `startingDeadline`."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import CroniterError, croniter

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.run import Evidence
from retrainer.api.v1alpha1.triggers import Schedule, Trigger
from retrainer.core.observation import Observation
from retrainer.core.triggers.finding import Finding


def look(trigger: Trigger, seen: Observation) -> list[Finding]:
    """Return the latest slot that is due, or when the next one is."""
    assert trigger.schedule is not None
    try:
        latest, upcoming = slots(trigger.schedule, seen.now)
    except (CroniterError, ZoneInfoNotFoundError) as error:
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

    Raises CroniterError for fields that are no schedule and ZoneInfoNotFoundError for an unknown zone.
    """
    local = now.astimezone(ZoneInfo(schedule.time_zone))
    cron = croniter(schedule.cron, local, ret_type=datetime)
    upcoming: datetime = cron.get_next()
    latest: datetime = cron.get_prev()
    while latest > local:
        latest = cron.get_prev()
    return latest.astimezone(UTC), upcoming.astimezone(UTC)


def next_slot(triggers: tuple[Trigger, ...], now: datetime) -> datetime | None:
    """Return the next slot of any schedule, or None without a valid one."""
    upcoming = []
    for trigger in triggers:
        if trigger.schedule is not None:
            try:
                upcoming.append(slots(trigger.schedule, now)[1])
            except (CroniterError, ZoneInfoNotFoundError):
                continue
    return min(upcoming, default=None)


def _used_slots(trigger: Trigger, seen: Observation) -> frozenset[datetime]:
    used = {item.starts_at for run in seen.runs for item in (*run.spec.evidence, *run.status.evidence) if item.trigger == trigger.name}
    remembered = {status.last_slot for status in seen.policy.status.triggers if status.name == trigger.name and status.last_slot}
    return frozenset(used | remembered)

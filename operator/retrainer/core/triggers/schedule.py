"""The schedule trigger: at most the latest missed slot, once, and only inside `startingDeadline`."""

import hashlib
from datetime import datetime, timedelta
from typing import Final

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.run import Evidence
from retrainer.api.v1alpha1.triggers import Schedule, Trigger
from retrainer.core.cron import ScheduleError, slots
from retrainer.core.identity import Identity
from retrainer.core.observation import Observation, PolicySeen
from retrainer.core.triggers.finding import Finding

SCHEDULE_DUE: Final = "ScheduleDue"


def look(trigger: Trigger, seen: Observation) -> list[Finding]:
    """Return the latest slot that is due, or when the next one is."""
    assert trigger.schedule is not None
    try:
        latest, upcoming = _slots(trigger.schedule, seen.policy.identity, seen.now)
    except ScheduleError as error:
        return [Finding(trigger.name, "ScheduleInvalid", f"{error}: correct spec.triggers[{trigger.name}].schedule")]
    starts = upcoming + put_off(trigger.schedule, seen.policy.identity)
    waits = (starts - seen.now).total_seconds()
    if latest < seen.policy.identity.created or latest in _used_slots(trigger, seen):
        return [Finding(trigger.name, "NotDue", f"the next slot starts at {starts:%Y-%m-%d %H:%M:%S} UTC", look_again_in=waits)]
    if (seen.now - latest).total_seconds() > seconds(trigger.schedule.starting_deadline):
        told = f"the slot of {latest:%Y-%m-%d %H:%M} UTC was missed; the next starts at {starts:%Y-%m-%d %H:%M:%S} UTC"
        return [Finding(trigger.name, "SlotMissed", told, look_again_in=waits)]
    evidence = Evidence(trigger=trigger.name, starts_at=latest, message=f"the slot of {latest:%Y-%m-%d %H:%M} UTC")
    return [Finding(trigger.name, SCHEDULE_DUE, evidence.message, evidence, look_again_in=waits)]


def put_off(schedule: Schedule, policy: Identity) -> timedelta:
    """Return by how many whole seconds a policy's slots are put off: always the same, so that it needs no memory."""
    most = min(seconds(schedule.jitter), seconds(schedule.starting_deadline) / 2)
    digest = hashlib.sha256(f"{policy.namespace}/{policy.name}".encode()).digest()
    return timedelta(seconds=int(most * int.from_bytes(digest[:4]) / 2**32))


def next_start(policy: PolicySeen, now: datetime) -> datetime | None:
    """Return when the next slot of any schedule starts, or None without a valid one."""
    upcoming = []
    for schedule in (trigger.schedule for trigger in policy.spec.triggers if trigger.schedule is not None):
        try:
            upcoming.append(_slots(schedule, policy.identity, now)[1] + put_off(schedule, policy.identity))
        except ScheduleError:
            continue
    return min(upcoming, default=None)


def _slots(schedule: Schedule, policy: Identity, now: datetime) -> tuple[datetime, datetime]:
    """Return the latest slot whose start has come, and the next one."""
    return slots(schedule.cron, schedule.time_zone, now - put_off(schedule, policy))


def _used_slots(trigger: Trigger, seen: Observation) -> frozenset[datetime]:
    used = {item.starts_at for run in seen.runs for item in (*run.spec.evidence, *run.status.evidence) if item.trigger == trigger.name}
    remembered = {status.last_slot for status in seen.policy.status.triggers if status.name == trigger.name and status.last_slot}
    return frozenset(used | remembered)

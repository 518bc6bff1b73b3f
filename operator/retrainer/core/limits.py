"""How often runs may start: the checks that hold a start back for a while, each with its reason, its sentence and its end."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.triggers import FreezeWindow
from retrainer.core import naming
from retrainer.core.circuit import is_caused_by_a_trigger, uncured_in_a_row
from retrainer.core.commands import resumed_at
from retrainer.core.cron import ScheduleError, slots
from retrainer.core.line import standing
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.places import FLEET_LIMIT

_DAY: Final = timedelta(days=1)
# Whoever leaves a place wakes the next in line; this only covers a word that was lost.
_LOOK_FOR_A_PLACE: Final = timedelta(minutes=1)
_COOLED: Final = frozenset({Outcome.ROLLED_BACK, Outcome.TRAINING_FAILED, Outcome.GATE_REJECTED, Outcome.DATA_REJECTED})


@dataclass(frozen=True, slots=True)
class Limit:
    """Why no trigger may start a run now, and until when, where that is known."""

    reason: str
    message: str
    until: datetime | None = None

    def seconds_left(self, now: datetime) -> float | None:
        """Return after how many seconds it is worth looking again, where that is known."""
        return (self.until - now).total_seconds() if self.until is not None else None


def limit(seen: Observation, *, emergency: bool) -> Limit | None:
    """Return the first limit in the way of another start, or None; an emergency skips all that time alone lifts."""
    checks = (circuit_is_open,) if emergency else (circuit_is_open, is_frozen, cools_down, has_had_its_runs)
    return next((found for check in checks if (found := check(seen)) is not None), None)


def circuit_is_open(seen: Observation) -> Limit | None:
    """Runs have cured nothing, one after the other: nobody spends a GPU until a person has looked into it."""
    most, row = seen.policy.spec.trigger_policy.max_uncured_runs, uncured_in_a_row(seen.runs, resumed_at(seen))
    if len(row) < most:
        return None
    names = ", ".join(run.name for run in row[:most])
    told = f"{names} cured nothing: look into it, then kubectl annotate mrp {seen.policy.identity.name} {naming.RESUME}={row[0].name}"
    return Limit("CircuitOpen", f"{told} --overwrite")


def is_frozen(seen: Observation) -> Limit | None:
    """A freeze window is open."""
    windows = [(_closes(window, seen.now), window.cron) for window in seen.policy.spec.trigger_policy.freeze_windows]
    open_ones = [(until, cron) for until, cron in windows if seen.now < until]
    if not open_ones:
        return None
    until, cron = max(open_ones)
    return Limit("FreezeWindow", f"the freeze window {cron!r} is open until {until:%Y-%m-%d %H:%M:%S} UTC", until)


def cools_down(seen: Observation) -> Limit | None:
    """The last training or rollback ended too short a time ago."""
    cooldown = seen.policy.spec.trigger_policy.cooldown
    ends = [at for run in seen.runs if (at := _training_ended(run)) is not None]
    until = max(ends) + timedelta(seconds=seconds(cooldown)) if ends else None
    if until is None or seen.now >= until:
        return None
    return Limit("CoolingDown", f"the last training or rollback is younger than {cooldown}; until {until:%H:%M:%S} UTC", until)


def has_had_its_runs(seen: Observation) -> Limit | None:
    """Triggers have started as many runs in 24 hours as they may."""
    most = seen.policy.spec.trigger_policy.max_runs_per_day
    started = sorted(run.identity.created for run in seen.runs if _counts_today(run, seen.now))
    if len(started) < most:
        return None
    until = started[-most] + _DAY
    told = f"{len(started)} runs within 24 hours, triggerPolicy.maxRunsPerDay is {most}; until {until:%Y-%m-%d %H:%M:%S} UTC"
    return Limit("MaxRunsPerDay", told, until)


def fleet_is_full(run: RunSeen, seen: Observation) -> Limit | None:
    """As many runs train as the administrator lets, all policies together, or all that is left is for those who have waited longer."""
    if run.spec.dry_run or seen.places.has_one_for(standing(run)):
        return None
    told = f"the administrator lets {seen.places.limit} runs train at once, all policies together; emergencies go first, then the oldest"
    return Limit(FLEET_LIMIT, told, seen.now + _LOOK_FOR_A_PLACE)


def is_still_counted(run: RunSeen, seen: Observation) -> bool:
    """Say whether a limit still looks at a finished run: it must outlive the history limit until then."""
    policy = seen.policy.spec.trigger_policy
    ended, cooldown = _training_ended(run), timedelta(seconds=seconds(policy.cooldown))
    if _counts_today(run, seen.now) or (ended is not None and seen.now < ended + cooldown):
        return True
    return run in uncured_in_a_row(seen.runs, resumed_at(seen))[: policy.max_uncured_runs]


def is_limited(run: RunSeen) -> bool:
    """Say whether a run keeps the limits, as those that triggers start do: no person's, first version, emergency or redeployment."""
    return is_caused_by_a_trigger(run) and run.spec.emergency is None


def _closes(window: FreezeWindow, now: datetime) -> datetime:
    """Return when a window that opened last closes; one that never opens, which acceptance.py refuses, is closed."""
    try:
        opened, _ = slots(window.cron, window.time_zone, now)
    except ScheduleError:
        return now
    return opened + timedelta(seconds=seconds(window.duration))


def _training_ended(run: RunSeen) -> datetime | None:
    status = run.status
    if run.redeploys:
        return status.completed_at
    if status.outcome in _COOLED and status.completed_at is not None:
        return status.completed_at
    return status.gated_at


def _counts_today(run: RunSeen, now: datetime) -> bool:
    """A run that gave way before it began cost nothing, and the first version is nobody's trigger."""
    gave_way = run.status.phase is Phase.FINISHED and run.status.frozen is None
    counted = is_limited(run) or run.spec.emergency is not None
    return counted and not gave_way and now < run.identity.created + _DAY

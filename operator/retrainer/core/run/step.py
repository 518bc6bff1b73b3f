"""What one phase answers: the run's next status and the effects that must come before it is written."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.run_status import TimelineEntry
from retrainer.core.actions import Effect
from retrainer.core.phases import TRANSITIONS, Outcome, Phase

_TIMELINE_LIMIT = 64


@dataclass(frozen=True, slots=True)
class Step:
    """A run's next status, the effects before it, and when to look again without being woken."""

    status: ModelRetrainRunStatus
    effects: tuple[Effect, ...] = ()
    after: float | None = None


def hold(status: ModelRetrainRunStatus, *effects: Effect, after: float | None = None, **changes: Any) -> Step:  # noqa: ANN401
    """Stay as one is, for the reason already told; `changes` are fields of the status."""
    return Step(status.model_copy(update=changes) if changes else status, effects, after)


def wait(
    status: ModelRetrainRunStatus,
    now: datetime,
    reason: str,
    message: str,
    *effects: Effect,
    after: float | None = None,
    **changes: Any,  # noqa: ANN401 - fields of the status, checked by the model when it is read back
) -> Step:
    """Stay in the phase and say why."""
    return Step(_told(status, now, status.phase, reason, message, changes), effects, after)


def move(
    status: ModelRetrainRunStatus,
    now: datetime,
    phase: Phase,
    reason: str,
    message: str,
    *effects: Effect,
    **changes: Any,  # noqa: ANN401
) -> Step:
    """Go on to a phase; the next round does what it asks for."""
    if phase not in TRANSITIONS[status.phase]:
        raise ValueError(f"no transition from {status.phase} to {phase}")
    return Step(_told(status, now, phase, reason, message, {"phase_since": now, **changes}), effects, after=0)


def end(
    status: ModelRetrainRunStatus,
    now: datetime,
    outcome: Outcome,
    reason: str,
    message: str,
    *effects: Effect,
    **changes: Any,  # noqa: ANN401
) -> Step:
    """Finish with an outcome, a reason and a sentence."""
    changes = {"outcome": outcome, "completed_at": now, "recheck_at": None, **changes}
    return move(status, now, Phase.FINISHED, reason, message, *effects, **changes)


def note(status: ModelRetrainRunStatus, now: datetime, reason: str, message: str, **changes: Any) -> Step:  # noqa: ANN401
    """Write one more line into the timeline of a run that stays as it is."""
    return Step(status.model_copy(update={"timeline": _timeline(status, now, status.phase, reason, cut(message)), **changes}))


def _told(
    status: ModelRetrainRunStatus, now: datetime, phase: Phase, reason: str, message: str, changes: dict[str, Any]
) -> ModelRetrainRunStatus:
    message = cut(message)
    timeline = _timeline(status, now, phase, reason, message)
    return status.model_copy(update={"phase": phase, "reason": reason, "message": message, "timeline": timeline, **changes})


def _timeline(status: ModelRetrainRunStatus, now: datetime, phase: Phase, reason: str, message: str) -> tuple[TimelineEntry, ...]:
    timeline = status.timeline
    latest = timeline[-1] if timeline else None
    if latest is not None and (latest.phase, latest.reason) == (phase, reason):
        return timeline
    # The first entries say why the run exists: when the list is full, it is the middle that goes.
    kept = timeline if len(timeline) < _TIMELINE_LIMIT else timeline[:8] + timeline[9:]
    return (*kept, TimelineEntry(at=now, phase=phase, reason=reason, message=message))

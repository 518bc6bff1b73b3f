"""What a metric or schema trigger came to when it was last asked, and what must be remembered until it is asked again."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, Literal

from retrainer.core.measurement import NoDataReason

NOT_ASKED: Final = "NotAskedYet"
WITHIN_BOUNDS: Final = "WithinBounds"
PENDING: Final = "Pending"
THRESHOLD_CROSSED: Final = "ThresholdCrossed"
WAITING_FOR_BASELINE: Final = "WaitingForBaseline"
TOO_FEW_SAMPLES: Final = "TooFewSamples"
NO_VERSION: Final = "NoVersionYet"
QUERY_NOT_ALLOWED: Final = "QueryNotAllowed"
SCHEMA_UNCHANGED: Final = "SchemaUnchanged"
SCHEMA_CHANGED: Final = "SchemaChanged"

State = Literal["Armed", "Pending", "Firing", "Refused", "Started", "Unknown"]
_STATES: Final[Mapping[str, State]] = {
    WITHIN_BOUNDS: "Armed",
    SCHEMA_UNCHANGED: "Armed",
    PENDING: "Pending",
    THRESHOLD_CROSSED: "Firing",
    SCHEMA_CHANGED: "Firing",
    QUERY_NOT_ALLOWED: "Refused",
}
REASONS: Final = frozenset(
    {*_STATES, NOT_ASKED, WAITING_FOR_BASELINE, TOO_FEW_SAMPLES, NO_VERSION, *(reason.value for reason in NoDataReason)}
)


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and the bound it was held against (None while there is none), in the preset's unit; `samples` None where unknown."""

    value: float
    threshold: float | None = None
    samples: float | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What must be remembered from one evaluation to the next."""

    version: str = ""
    """The champion that was asked about."""
    episode: datetime | None = None
    """Since when the bound has been passed, or the schema changed; it ends once the figure is well inside again."""
    held_s: float = 0.0
    """For how much of that time it was seen."""
    firing: bool = False
    """Whether that was long enough: it stays so until the episode ends."""
    seen_at: datetime | None = None
    """When there was a figure last; None before the first, and after a gap."""
    silent_since: datetime | None = None
    """Since when there has been none."""
    proof: Figure | None = None
    """The latest figure beyond the bound."""
    fingerprint: str = ""
    """Of a changed schema, the set of changes."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """One evaluation of one trigger: exactly one reason, as a sentence too, and the figure it is about."""

    reason: str
    message: str
    memory: Memory = Memory()
    figure: Figure | None = None
    takes_baseline: bool = False
    """Whether `figure` is to be frozen as the champion's baseline."""

    @property
    def state(self) -> State:
        """The state that the reason stands for."""
        return _STATES.get(self.reason, "Unknown")

    @property
    def live_value(self) -> float | None:
        """The figure, unless it is an older one."""
        return self.figure.value if self.figure is not None and self.memory.silent_since is None else None

    @property
    def asks(self) -> bool:
        """Whether this speaks for a run: its episode has lasted, and it was seen just now."""
        return self.memory.firing and self.memory.silent_since is None

    def is_news_after(self, before: "Evaluation | None") -> bool:
        """Say whether a round could come to something else than after `before`."""
        return before is None or _told(self) != _told(before)


ASKED_FIRST: Final = Evaluation(NOT_ASKED, "Prometheus has not been asked yet")
"""What a trigger comes to before it is asked: nothing is remembered of it."""


def _told(one: Evaluation) -> tuple[object, ...]:
    memory = one.memory
    return one.reason, memory.version, memory.episode, memory.firing, memory.fingerprint, one.asks, one.takes_baseline


def unheard(before: Evaluation, reason: str, message: str, now: datetime, patience_s: float) -> Evaluation:
    """Return what no data comes to after `before`: it fires nothing, and neither advances nor resets anything for `patience_s` seconds.

    One answer that fails to come is no news yet. An episode that fires goes on: silence is no recovery.
    """
    memory = before.memory
    silent_since = memory.silent_since or now
    patient = (now - silent_since).total_seconds() < patience_s
    kept = memory if patient or memory.firing else Memory(memory.version)
    remembered = replace(kept, seen_at=None, silent_since=silent_since)
    if memory.silent_since is None and memory.seen_at is not None:
        return Evaluation(before.reason, before.message, remembered, before.figure)
    return Evaluation(reason, message, remembered)

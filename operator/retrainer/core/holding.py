"""What holds a policy back: suspended in Git, or paused by command. Nothing holds back a rollback."""

from dataclasses import dataclass
from typing import Final

from retrainer.core import naming
from retrainer.core.commands import is_paused
from retrainer.core.observation import Observation
from retrainer.core.phases import Event, Phase, Reaction, reaction

HELD_REASONS: Final = frozenset({"Suspended", "Paused"})


@dataclass(frozen=True, slots=True)
class Held:
    """Why a policy is held back, and until when, as the end of a sentence that begins with what waits."""

    reason: str
    message: str
    until: str


def held(seen: Observation) -> Held | None:
    """Return what holds the policy back, or None."""
    if seen.policy.spec.suspend:
        return Held("Suspended", "the policy is suspended", "spec.suspend is false")
    if is_paused(seen):
        name = seen.policy.identity.name
        return Held("Paused", "the policy is paused", f"it is resumed: kubectl annotate mrp {name} {naming.RESUME}=<another value>")
    return None


def weight_is_held(seen: Observation, phase: Phase) -> Held | None:
    """Return what keeps a candidate's weight from rising in this phase, or None."""
    return held(seen) if reaction(Event.SUSPENDED, phase) is Reaction.WEIGHT_NEVER_RISES else None

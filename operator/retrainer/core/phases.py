"""The run's phases, the two slots of a policy, and what each event means in each phase.

Everything that affects the state machine stands in this file: `TRANSITIONS` says which phase may follow which, `REACTIONS` what an event
means in each stage. The diagram in docs/architecture.md is drawn from both. A row without one of its cells does not type-check.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Final, assert_never

from retrainer.api.v1alpha1.run_status import Outcome, Phase

__all__ = ["REACTIONS", "TRANSITIONS", "Event", "Outcome", "Phase", "Reaction", "Slot", "Stage", "reaction", "slot", "stage"]


class Slot(Enum):
    """What a run takes of its policy; each slot holds one run."""

    NONE = "none"
    TRAINING = "training"
    SERVING = "serving"


class Stage(StrEnum):
    """The phases an event does not tell apart."""

    WAITING = "waiting"
    QUEUED = "queued"
    TRAINING = "training"
    ROLLOUT = "rollout"
    WATCHING = "watching"
    FINISHED = "finished"


class Event(StrEnum):
    """What may arrive while a run is under way."""

    TRIGGER = "ordinary trigger"
    EMERGENCY = "emergency"
    POLICY_EDITED = "policy edited"
    TEMPLATE_EDITED = "template edited"
    SUSPENDED = "suspended or paused"
    ABORTED = "aborted, or run deleted"
    VERSION_NAMED = "pinned, or rolled back by command"
    POLICY_DELETED = "policy deleted"


class Reaction(StrEnum):
    """What an event means."""

    COALESCES = "joins the waiting run as evidence"
    WAITS = "one further run waits"
    TRAINS_ALONGSIDE = "may train, waits to deploy"
    SUPERSEDES = "supersedes it"
    RETRAINS_AFTER = "waits, retrains after it"
    TAKES_ITS_SLOT = "aborts it, takes the slot"
    CUTS_SHORT = "ends the watch once its own candidate is ready"
    NEXT_RUN = "acts on the next run"
    ROLLS_CHAMPION = "the champion rolls at once"
    AFTER_RUN = "applied to the champion after this run"
    NO_NEW_PHASE = "starts no new phase"
    FINISHES_THEN_HOLDS = "finishes the phase, then holds"
    WEIGHT_NEVER_RISES = "the weight never rises; analysis and rollback go on"
    GOES_ON = "goes on"
    ENDS = "ends"
    DELETES_JOB = "the Job is deleted"
    RETURNS_TRAFFIC = "traffic to the champion first, the candidate goes after"
    KEEPS_PREVIOUS = "nothing moves, the previous version is kept"
    GIVES_WAY = "traffic to the champion first, the candidate goes after, then the named version serves"
    ENDS_ROLLED_BACK = "ends as RolledBack, by one write where the named version is the warm previous one"


@dataclass(frozen=True, slots=True)
class Row:
    """One event's meaning in each stage."""

    waiting: Reaction
    queued: Reaction
    training: Reaction
    rollout: Reaction
    watching: Reaction


REACTIONS: Final[Mapping[Event, Row]] = {
    Event.TRIGGER: Row(
        waiting=Reaction.COALESCES,
        queued=Reaction.COALESCES,
        training=Reaction.WAITS,
        rollout=Reaction.WAITS,
        watching=Reaction.TRAINS_ALONGSIDE,
    ),
    Event.EMERGENCY: Row(
        waiting=Reaction.SUPERSEDES,
        queued=Reaction.SUPERSEDES,
        training=Reaction.RETRAINS_AFTER,
        rollout=Reaction.TAKES_ITS_SLOT,
        watching=Reaction.CUTS_SHORT,
    ),
    Event.POLICY_EDITED: Row(
        waiting=Reaction.NEXT_RUN,
        queued=Reaction.NEXT_RUN,
        training=Reaction.NEXT_RUN,
        rollout=Reaction.NEXT_RUN,
        watching=Reaction.NEXT_RUN,
    ),
    Event.TEMPLATE_EDITED: Row(
        waiting=Reaction.ROLLS_CHAMPION,
        queued=Reaction.ROLLS_CHAMPION,
        training=Reaction.ROLLS_CHAMPION,
        rollout=Reaction.AFTER_RUN,
        watching=Reaction.ROLLS_CHAMPION,
    ),
    Event.SUSPENDED: Row(
        waiting=Reaction.NO_NEW_PHASE,
        queued=Reaction.FINISHES_THEN_HOLDS,
        training=Reaction.FINISHES_THEN_HOLDS,
        rollout=Reaction.WEIGHT_NEVER_RISES,
        watching=Reaction.GOES_ON,
    ),
    Event.ABORTED: Row(
        waiting=Reaction.ENDS,
        queued=Reaction.DELETES_JOB,
        training=Reaction.DELETES_JOB,
        rollout=Reaction.RETURNS_TRAFFIC,
        watching=Reaction.KEEPS_PREVIOUS,
    ),
    Event.VERSION_NAMED: Row(
        waiting=Reaction.GOES_ON,
        queued=Reaction.GOES_ON,
        training=Reaction.FINISHES_THEN_HOLDS,
        rollout=Reaction.GIVES_WAY,
        watching=Reaction.ENDS_ROLLED_BACK,
    ),
    Event.POLICY_DELETED: Row(
        waiting=Reaction.ENDS,
        queued=Reaction.DELETES_JOB,
        training=Reaction.DELETES_JOB,
        rollout=Reaction.RETURNS_TRAFFIC,
        watching=Reaction.KEEPS_PREVIOUS,
    ),
}

_END: Final = frozenset({Phase.FINISHED})

TRANSITIONS: Final[Mapping[Phase, frozenset[Phase]]] = {
    Phase.PENDING: _END | {Phase.VALIDATING, Phase.DEPLOYING},
    Phase.VALIDATING: _END | {Phase.QUEUED},
    Phase.QUEUED: _END | {Phase.TRAINING, Phase.GATING},
    Phase.TRAINING: _END | {Phase.QUEUED, Phase.GATING},
    Phase.GATING: _END | {Phase.AWAITING_APPROVAL, Phase.DEPLOYING},
    Phase.AWAITING_APPROVAL: _END | {Phase.DEPLOYING, Phase.PROMOTING},
    Phase.DEPLOYING: _END | {Phase.SMOKE_TESTING},
    Phase.SMOKE_TESTING: _END | {Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.PROMOTING},
    Phase.CANARY: _END | {Phase.AWAITING_APPROVAL, Phase.PROMOTING},
    Phase.PROMOTING: _END | {Phase.WATCHING},
    Phase.WATCHING: _END,
    Phase.FINISHED: frozenset(),
}


def stage(phase: Phase) -> Stage:
    """Return the stage a phase belongs to."""
    match phase:
        case Phase.PENDING:
            return Stage.WAITING
        case Phase.QUEUED:
            return Stage.QUEUED
        case Phase.VALIDATING | Phase.TRAINING | Phase.GATING:
            return Stage.TRAINING
        case Phase.AWAITING_APPROVAL | Phase.DEPLOYING | Phase.SMOKE_TESTING | Phase.CANARY | Phase.PROMOTING:
            return Stage.ROLLOUT
        case Phase.WATCHING:
            return Stage.WATCHING
        case Phase.FINISHED:
            return Stage.FINISHED
        case _:
            assert_never(phase)


def slot(phase: Phase) -> Slot:
    """Return the slot a run in this phase holds."""
    match stage(phase):
        case Stage.QUEUED | Stage.TRAINING:
            return Slot.TRAINING
        case Stage.ROLLOUT | Stage.WATCHING:
            return Slot.SERVING
        case Stage.WAITING | Stage.FINISHED:
            return Slot.NONE
        case unknown:
            assert_never(unknown)


def reaction(event: Event, phase: Phase) -> Reaction:
    """Return what the event means for a run in this phase; a finished run is past all events."""
    row = REACTIONS[event]
    match stage(phase):
        case Stage.WAITING:
            return row.waiting
        case Stage.QUEUED:
            return row.queued
        case Stage.TRAINING:
            return row.training
        case Stage.ROLLOUT:
            return row.rollout
        case Stage.WATCHING:
            return row.watching
        case Stage.FINISHED:
            return Reaction.NEXT_RUN
        case unknown:
            assert_never(unknown)

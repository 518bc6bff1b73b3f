from dataclasses import fields

import pytest

from retrainer.core.phases import REACTIONS, TRANSITIONS, Event, Phase, Reaction, Row, Slot, Stage, reaction, slot, stage


def test_every_phase_has_its_transitions_and_they_lead_to_phases() -> None:
    assert set(TRANSITIONS) == set(Phase)
    assert frozenset().union(*TRANSITIONS.values()) <= set(Phase)


def test_every_phase_is_reached_from_pending() -> None:
    reached, front = {Phase.PENDING}, [Phase.PENDING]
    while front:
        fresh = TRANSITIONS[front.pop()] - reached
        reached |= fresh
        front += fresh
    assert reached == set(Phase)


def test_a_finished_run_goes_nowhere() -> None:
    assert TRANSITIONS[Phase.FINISHED] == frozenset()


@pytest.mark.parametrize("phase", set(Phase) - {Phase.FINISHED})
def test_every_live_run_may_end_at_once(phase: Phase) -> None:
    assert Phase.FINISHED in TRANSITIONS[phase]


def test_traffic_is_never_reached_without_training_and_gate() -> None:
    into = {to: {phase for phase in Phase if to in TRANSITIONS[phase]} for to in Phase}
    assert into[Phase.DEPLOYING] - {Phase.PENDING} == {Phase.GATING, Phase.AWAITING_APPROVAL}
    assert into[Phase.CANARY] == {Phase.SMOKE_TESTING}
    assert into[Phase.PROMOTING] == {Phase.SMOKE_TESTING, Phase.CANARY, Phase.AWAITING_APPROVAL}
    assert into[Phase.WATCHING] == {Phase.PROMOTING}


@pytest.mark.parametrize("phase", Phase)
@pytest.mark.parametrize("event", Event)
def test_every_event_means_something_in_every_phase(event: Event, phase: Phase) -> None:
    assert isinstance(reaction(event, phase), Reaction)


def test_the_table_has_a_row_for_every_event_and_a_column_for_every_stage_of_a_live_run() -> None:
    assert set(REACTIONS) == set(Event)
    assert [field.name for field in fields(Row)] == [stage for stage in Stage if stage is not Stage.FINISHED]


@pytest.mark.parametrize(("event", "row"), REACTIONS.items())
def test_a_phase_reads_its_event_from_the_column_of_its_stage(event: Event, row: Row) -> None:
    for phase in set(Phase) - {Phase.FINISHED}:
        assert reaction(event, phase) is getattr(row, stage(phase))


def test_a_run_holds_the_training_slot_until_the_gate_and_the_serving_slot_from_there() -> None:
    training = {Phase.VALIDATING, Phase.QUEUED, Phase.TRAINING, Phase.GATING}
    assert {phase for phase in Phase if slot(phase) is Slot.TRAINING} == training
    assert {phase for phase in Phase if slot(phase) is Slot.NONE} == {Phase.PENDING, Phase.FINISHED}
    assert {phase for phase in Phase if slot(phase) is Slot.SERVING} == set(Phase) - training - {Phase.PENDING, Phase.FINISHED}


def test_no_run_takes_a_slot_back_once_it_has_left_it() -> None:
    order = {Slot.NONE: 0, Slot.TRAINING: 1, Slot.SERVING: 2}
    for phase, following in TRANSITIONS.items():
        for to in following - {Phase.FINISHED}:
            assert order[slot(to)] >= order[slot(phase)]


def test_neither_suspending_nor_deleting_a_policy_raises_a_weight() -> None:
    assert reaction(Event.SUSPENDED, Phase.CANARY) is Reaction.WEIGHT_NEVER_RISES
    assert reaction(Event.POLICY_DELETED, Phase.CANARY) is Reaction.RETURNS_TRAFFIC
    assert reaction(Event.POLICY_DELETED, Phase.WATCHING) is Reaction.KEEPS_PREVIOUS

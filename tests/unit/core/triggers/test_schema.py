"""What changed columns come to: one set of them, one run; and a word on whether the champion still takes the table."""

from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.arbitration import Arbitration, arbitrate
from retrainer.core.measurement import NoData, NoDataReason
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.triggers.evaluation import Evaluation
from retrainer.core.triggers.schema import SchemaSeen, evaluate
from tests.builders import CHAMPION, NOW, a_policy, a_run, seen

SHIFT = ("shift_percentage", "added")
AGE = ("member_age", "missing")


def columns(*changes: tuple[str, str], accepted: bool = True, version: str = CHAMPION, before: Evaluation | None = None) -> Evaluation:
    return evaluate(SchemaSeen(frozenset(changes), accepted), version, before, NOW)


def a_watching_policy() -> PolicySeen:
    champion = {"version": CHAMPION, "since": NOW - timedelta(days=30)}
    return a_policy(triggers=[{"name": "columns", "schema": {}}], status={"champion": champion})


def arbitrated(found: Evaluation, *runs: RunSeen, policy: PolicySeen | None = None) -> Arbitration:
    return arbitrate(seen(policy or a_watching_policy(), *runs, evaluations={"columns": found}))


def the_run(arbitration: Arbitration) -> RunSeen:
    assert arbitration.start is not None
    return a_run(Phase.TRAINING, spec={"evidence": [item.model_dump() for item in arbitration.start.spec.evidence]})


def test_a_table_as_the_champion_knows_it_asks_for_nothing() -> None:
    assert [(one.state, one.reason) for one in arbitrated(columns()).triggers] == [("Armed", "SchemaUnchanged")]


def test_a_new_column_starts_a_run_and_says_that_the_champion_serves_on() -> None:
    arbitration = arbitrated(columns(SHIFT))
    assert arbitration.start is not None
    assert (arbitration.start.spec.reason, arbitration.start.spec.evidence[0].starts_at) == ("SchemaChanged", NOW)
    assert arbitration.start.spec.message == f"shift_percentage is new; {CHAMPION} still accepts the training table"


def test_a_column_the_champion_needs_says_so_when_it_is_gone() -> None:
    assert columns(AGE, SHIFT, accepted=False).message == (
        f"member_age is missing, shift_percentage is new; {CHAMPION} no longer accepts the training table"
    )


def test_one_set_of_changes_starts_one_run_and_a_further_change_another() -> None:
    found = columns(SHIFT)
    run = the_run(arbitrated(found))
    assert arbitrated(found, run).start is None
    assert arbitrated(columns(SHIFT), run).start is None, "nor after a restart, which forgets when it was first seen"
    further = columns(SHIFT, AGE, before=found)
    assert arbitrated(further, run).start is not None


def test_changes_that_come_and_go_and_come_again_start_one_run() -> None:
    first = columns(SHIFT)
    run = the_run(arbitrated(first))
    gone = columns(before=first)
    assert arbitrated(gone, run).triggers[0].reason == "SchemaUnchanged"
    assert arbitrated(columns(SHIFT, before=gone), run).start is None


def test_the_same_changes_against_another_champion_are_others() -> None:
    first = columns(SHIFT)
    again = columns(SHIFT, version="another", before=first)
    assert again.memory.fingerprint != first.memory.fingerprint


def test_a_run_that_was_pruned_is_remembered() -> None:
    policy = a_watching_policy()
    handled = {"fingerprint": columns(SHIFT).memory.fingerprint, "starts_at": NOW}
    known = a_policy(triggers=[{"name": "columns", "schema": {}}], status={"champion": policy.status.champion, "handled_alerts": [handled]})
    assert arbitrated(columns(SHIFT), policy=known).start is None


@pytest.mark.parametrize("reason", NoDataReason)
def test_no_data_changes_no_schema(reason: NoDataReason) -> None:
    found = evaluate(NoData(reason, "in a test"), CHAMPION, None, NOW)
    arbitration = arbitrated(found)
    assert (arbitration.start, [(one.state, one.reason) for one in arbitration.triggers]) == (None, [("Unknown", reason.value)])


def test_silence_after_a_change_does_not_ask_again_when_it_ends() -> None:
    first = columns(SHIFT)
    run = the_run(arbitrated(first))
    silent = evaluate(NoData(NoDataReason.TIMEOUT, "in a test"), CHAMPION, first, NOW + timedelta(minutes=1))
    assert not silent.asks
    assert arbitrated(columns(SHIFT, before=silent), run).start is None


def test_many_columns_are_told_in_a_sentence_of_bounded_length() -> None:
    found = columns(*[(f"column_{number:02}", "added") for number in range(20)])
    assert "12 columns more" in found.message
    assert found.figure is not None
    assert found.figure.value == 20


def test_a_champion_whose_columns_changed_and_that_takes_its_turn_again_has_its_memory_back() -> None:
    found = columns(SHIFT)
    run = the_run(arbitrated(found))
    back = columns(SHIFT, before=columns(SHIFT, version="another", before=found))
    assert arbitrated(back, run).start is None
    assert replace(back.memory, episode=None) == replace(found.memory, episode=None)

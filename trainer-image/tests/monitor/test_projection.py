"""What the tables lack of what the objects say, decided without a database."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.monitor.builders import NOON, at, policy, result, run
from trainer.monitor.entries import ALL, AppendEntry
from trainer.monitor.objects import Policy, Run, read_policy, read_run
from trainer.monitor.projection import Activate, Change, Present, RecordVersion, changes
from trainer.monitor.reigns import Reign

CHAMPION = read_policy(policy("v1"))
V1 = ("churn_risk", "v1")
SERVING = Present(
    complete=frozenset({V1}), active=frozenset({V1}), reigns={"churn_risk": [Reign(NOON - timedelta(days=1), "v1")]}
)


def test_a_new_champion_gets_a_row_and_becomes_the_active_one() -> None:
    seen = read_run(run(1, "v1", result=result("v1"), promotedAt=at(5)))
    record, flip, entry = changes([CHAMPION], [seen], Present())
    assert isinstance(record, RecordVersion)
    assert (record.accuracy, record.run, record.digest) == (0.84, "churn-risk-1", "sha256:v1")
    assert record.trained_at == NOON + timedelta(minutes=5)
    assert flip == Activate(*V1)
    assert entry == AppendEntry(
        *V1, "Promoted", "accuracy-drop", "accuracy fell to 0.61", "churn-risk-1", seen.promoted_at, ALL
    )


def test_an_adopted_champion_gets_a_row_with_nothing_but_its_name_and_an_entry() -> None:
    record, flip, entry = changes([read_policy(policy("adopted"))], [], Present())
    assert (record, flip) == (RecordVersion("churn_risk", "adopted"), Activate("churn_risk", "adopted"))
    told = "adopted serves by the status of churn-risk"
    assert entry == AppendEntry("churn_risk", "adopted", "Returned", "FoundServing", told, "", NOON, ALL)


def test_nothing_is_written_twice() -> None:
    seen = read_run(run(1, "v1", result=result("v1"), promotedAt=at(5)))
    entries = frozenset({("churn-risk-1", "v1", "Promoted", None)})
    assert changes([CHAMPION], [seen], replace(SERVING, entries=entries)) == []


def test_without_a_champion_nothing_is_deactivated() -> None:
    assert changes([read_policy(policy())], [], Present(active=frozenset({V1}))) == []


@pytest.mark.parametrize(
    "outcome",
    [
        "RolledBack",
        "GateRejected",
        "TrainingFailed",
        "DataRejected",
        "Aborted",
        "Superseded",
        "DryRunPassed",
        "Succeeded",
    ],
)
def test_every_end_of_a_run_is_an_entry_with_its_reason(outcome: str) -> None:
    ended = read_run(run(3, "v3", outcome=outcome, reason="Because", message="it was so", completedAt=at(9)))
    [entry] = changes([CHAMPION], [ended], SERVING)
    expected = AppendEntry(
        "churn_risk", "v3", outcome, "Because", "it was so", "churn-risk-3", NOON + timedelta(minutes=9)
    )
    assert entry == expected


def test_a_run_that_is_promoted_and_then_fails_has_both_entries_in_order() -> None:
    ended = read_run(run(2, "v2", outcome="RolledBack", promotedAt=at(1), completedAt=at(2)))
    events = [c.event for c in changes([CHAMPION], [ended], Present()) if isinstance(c, AppendEntry)]
    assert events == ["Promoted", "RolledBack", "Returned"]


def test_after_an_absence_all_ends_come_in_the_order_in_which_they_happened() -> None:
    runs = [
        read_run(run(3, "v3", promotedAt=at(30))),
        read_run(run(1, "v1", outcome="Succeeded", promotedAt=at(1), completedAt=at(10))),
        read_run(run(4, "v4", outcome="Aborted")),
        read_run(run(2, "v2", outcome="RolledBack", promotedAt=at(20), completedAt=at(25))),
    ]
    found = changes([read_policy(policy("v3"))], runs, Present(active=frozenset({V1})))
    assert [(c.version, c.event) for c in found if isinstance(c, AppendEntry)] == [
        ("v1", "Promoted"),
        ("v1", "Succeeded"),
        ("v2", "Promoted"),
        ("v2", "RolledBack"),
        ("v1", "Returned"),
        ("v3", "Promoted"),
        ("v4", "Aborted"),
    ]
    assert [c for c in found if isinstance(c, Activate)] == [Activate("churn_risk", "v3")]


def test_a_canarys_weights_are_entries_with_the_time_since_when() -> None:
    timeline = [
        {"at": at(1), "phase": "SmokeTesting", "reason": "PodsReady"},
        {"at": at(2), "phase": "Canary", "reason": "SmokeTestPassed"},
        {"at": at(3), "phase": "Canary", "reason": "ShiftingTraffic"},
        {"at": at(4), "phase": "Canary", "reason": "Step1"},
        {"at": at(5), "phase": "Canary", "reason": "ShiftingTraffic"},
        {"at": at(6), "phase": "Canary", "reason": "Step2"},
        {"at": at(7), "phase": "Canary", "reason": "Inconclusive"},
        {"at": at(8), "phase": "Canary", "reason": "Step2"},
    ]
    frozen = {"rollout": {"stepWeights": [10, 50]}}
    seen = read_run(run(2, "v2", timeline=timeline, frozen=frozen, outcome="Aborted", completedAt=at(9)))
    found = [(c.event, c.weight, c.at) for c in changes([CHAMPION], [seen], SERVING) if isinstance(c, AppendEntry)]
    assert found == [
        ("Weighted", 10, NOON + timedelta(minutes=3)),
        ("Weighted", 50, NOON + timedelta(minutes=6)),
        ("Aborted", 0, NOON + timedelta(minutes=9)),
    ]


def test_a_shadow_has_no_weight() -> None:
    timeline = [
        {"at": at(minute), "phase": "Canary", "reason": reason}
        for minute, reason in enumerate(("ShiftingTraffic", "Shadow", "ShiftingTraffic", "Step1"))
    ]
    seen = read_run(run(2, "v2", timeline=timeline, frozen={"rollout": {"stepWeights": [10]}}))
    assert seen.weights == ((NOON + timedelta(minutes=2), 10),)


def test_the_end_of_a_run_that_never_had_traffic_changes_no_weight() -> None:
    ended = read_run(run(3, "v3", outcome="GateRejected", completedAt=at(9)))
    assert [c.weight for c in changes([CHAMPION], [ended], SERVING) if isinstance(c, AppendEntry)] == [None]


def test_a_flip_that_no_run_accounts_for_is_an_entry_once() -> None:
    returned = read_policy(policy("v0", since=at(30)))
    [entry] = [c for c in changes([returned], [], SERVING) if isinstance(c, AppendEntry)]
    assert (entry.version, entry.event, entry.at) == ("v0", "Returned", NOON + timedelta(minutes=30))
    assert changes([returned], [], _after(SERVING, changes([returned], [], SERVING))) == []


def test_a_policy_that_was_read_before_the_promotion_returns_nobody() -> None:
    promoted = read_run(run(2, "v2", promotedAt=at(5)))
    events = [c.event for c in changes([CHAMPION], [promoted], SERVING) if isinstance(c, AppendEntry)]
    assert events == ["Promoted"]


def test_who_came_back_after_a_rollback_is_told_by_the_policy_where_the_ledger_begins_later() -> None:
    ended = read_run(run(2, "v2", outcome="RolledBack", promotedAt=at(1), completedAt=at(2)))
    found = [c for c in changes([CHAMPION], [ended], Present()) if isinstance(c, AppendEntry)]
    assert [(c.version, c.event, c.at) for c in found[2:]] == [("v1", "Returned", None)]


def test_the_ledger_of_an_outage_is_that_of_one_that_was_watched() -> None:
    runs = [
        read_run(run(1, "v1", promotedAt=at(1), outcome="Succeeded", completedAt=at(10))),
        read_run(run(2, "v2", promotedAt=at(20), outcome="RolledBack", completedAt=at(25))),
        read_run(run(3, "v3", promotedAt=at(30))),
    ]
    watched, ledger = Present(), []
    for champion, minute in (("v1", 1), ("v1", 10), ("v2", 20), ("v1", 25), ("v3", 30)):
        seen = [_until(one, minute) for one in runs]
        found = changes([read_policy(policy(champion, since=at(minute)))], [r for r in seen if r], watched)
        ledger += [c for c in found if isinstance(c, AppendEntry)]
        watched = _after(watched, found)
    assert ledger == [c for c in changes([read_policy(policy("v3"))], runs, Present()) if isinstance(c, AppendEntry)]


def test_runs_of_policies_with_another_database_are_not_ours() -> None:
    stranger = read_run(run(1, "v9", policy_name="somebody-elses", outcome="Succeeded", completedAt=at(1)))
    assert changes([read_policy(policy())], [stranger], Present()) == []


def test_of_two_policies_of_one_type_the_older_one_says_who_serves() -> None:
    older, younger = CHAMPION, replace(read_policy(policy("v2", name="other")), created=at(60))
    flips = [c for c in changes([younger, older], [], Present()) if isinstance(c, Activate)]
    assert flips == [Activate(*V1)]


def test_a_run_number_that_comes_again_with_another_version_is_another_run() -> None:
    again = read_run(run(1, "v7", outcome="Aborted", completedAt=at(1)))
    present = replace(SERVING, entries=frozenset({(again.name, "v1", "Aborted", None)}))
    assert [c.version for c in changes([CHAMPION], [again], present) if isinstance(c, AppendEntry)] == ["v7"]


RUNS = st.lists(
    st.builds(
        lambda number, promoted, ended, outcome: read_run(
            run(
                number,
                f"v{number}",
                result=result(f"v{number}"),
                **({"promotedAt": at(promoted)} if promoted else {}),
                **({"outcome": outcome, "completedAt": at(ended)} if outcome else {}),
            )
        ),
        st.integers(1, 6),
        st.none() | st.integers(1, 100),
        st.integers(100, 200),
        st.sampled_from([None, "Succeeded", "RolledBack", "GateRejected"]),
    ),
    max_size=8,
    unique_by=lambda seen: seen.name,
)
LATER = NOON + timedelta(days=1000)
POLICIES = st.lists(
    st.builds(lambda version: read_policy(policy(version)), st.sampled_from([None, "v1", "v2", "adopted"])), max_size=1
)


@given(POLICIES, RUNS, POLICIES, RUNS)
def test_one_round_is_enough_and_the_next_has_nothing_to_do(
    policies: list[Policy], runs: list[Run], later_policies: list[Policy], later_runs: list[Run]
) -> None:
    present = _after(Present(), changes(policies, runs, Present()))
    assert changes(policies, runs, present) == []
    later = changes(later_policies, later_runs, present)
    final = _after(present, later)
    assert changes(later_policies, later_runs, final) == []
    assert present.entries <= final.entries
    assert len(final.active) <= 1
    for each in later_policies:
        if each.champion is not None:
            assert final.active == {("churn_risk", each.champion)}


def _until(seen: Run, minute: int) -> Run | None:
    """The run as it was at a minute after noon."""
    now = NOON + timedelta(minutes=minute)
    if seen.promoted_at is None or seen.promoted_at > now:
        return None
    ended = seen.completed_at is not None and seen.completed_at <= now
    return seen if ended else replace(seen, outcome=None, completed_at=None)


def _after(present: Present, written: list[Change]) -> Present:
    """What the tables hold once the changes are written."""
    for change in written:
        match change:
            case RecordVersion(model_type, version):
                key = frozenset({(model_type, version)})
                if change.metrics:
                    present = replace(present, complete=present.complete | key, incomplete=present.incomplete - key)
                else:
                    present = replace(present, incomplete=present.incomplete | key)
            case Activate(model_type, version):
                assert (model_type, version) in present.complete | present.incomplete
                present = replace(present, active=frozenset({(model_type, version)}))
            case AppendEntry():
                assert change.event == "Returned" or change.key not in present.entries
                reigns = list(present.reigns.get("churn_risk", ()))
                if change.weight == ALL:
                    reigns.append(Reign(change.at or LATER, change.version))
                elif change.weight == 0 and reigns and reigns[-1].version == change.version:
                    reigns.append(Reign(change.at or LATER, None))
                present = replace(present, entries=present.entries | {change.key}, reigns={"churn_risk": reigns})
    return present

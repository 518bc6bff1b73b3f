"""The counters: exact over restarts, late rows and outages, and cheap in between."""

import asyncio
from datetime import datetime, timedelta
from decimal import Decimal

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from tests.monitor.builders import NOON, log_predictions, observe
from trainer.daemon.postgres import Database
from trainer.monitor.totals import BEGINNING, RECOUNTED_EVERY, SETTLES_AFTER, Counters, Counts, Settled, Totals

TYPES = frozenset({"churn_risk"})
V1 = ("churn_risk", "v1")
OLD = timedelta(minutes=10)


def test_the_first_count_begins_at_the_beginning_and_the_next_where_it_ended() -> None:
    settled = Settled()
    assert settled.since(TYPES, NOON) == BEGINNING
    settled = settled.advanced(TYPES, NOON, {})
    assert settled.since(TYPES, NOON) == NOON - SETTLES_AFTER


def test_all_is_counted_again_once_the_servers_had_time_to_write_and_then_hourly() -> None:
    settled = Settled().advanced(TYPES, NOON, {})
    soon = NOON + SETTLES_AFTER
    assert settled.since(TYPES, soon) == BEGINNING
    settled = settled.advanced(TYPES, soon, {})
    assert settled.since(TYPES, soon + SETTLES_AFTER) != BEGINNING
    assert settled.since(TYPES, soon + RECOUNTED_EVERY) == BEGINNING
    assert settled.after_outage(soon).since(TYPES, soon + SETTLES_AFTER) == BEGINNING


def test_a_new_model_type_is_counted_from_the_beginning() -> None:
    settled = Settled().advanced(TYPES, NOON, {})
    assert settled.since(TYPES | {"workload_forecast"}, NOON) == BEGINNING


def test_a_recount_finds_late_rows_and_never_falls() -> None:
    settled = Settled().advanced(TYPES, NOON, {V1: Totals(correct=10)})
    soon = NOON + SETTLES_AFTER
    assert settled.advanced(TYPES, soon, {V1: Totals(correct=12)}).counts[V1].correct == 12
    assert settled.advanced(TYPES, soon, {V1: Totals(correct=3)}).counts[V1].correct == 10
    assert settled.advanced(TYPES, soon, {}).counts[V1].correct == 10


@given(st.lists(st.decimals(0, 1, places=15), max_size=60), st.data())
def test_a_sum_does_not_depend_on_what_was_settled_when(confidences: list[Decimal], data: st.DataObject) -> None:
    total = sum((Totals(confidence_sum=c) for c in confidences), Totals())
    split = data.draw(st.integers(0, len(confidences)))
    shuffled = data.draw(st.permutations(confidences))
    parts = [sum((Totals(confidence_sum=c) for c in part), Totals()) for part in (shuffled[:split], shuffled[split:])]
    assert parts[0] + parts[1] == total


def test_classifiers_are_counted_by_whether_they_were_right(database: str) -> None:
    right = log_predictions(database, "v1", [{}] * 3, label=False, age=OLD)
    wrong = log_predictions(database, "v1", [{}] * 2, label=True)
    log_predictions(database, "v1", [{}] * 4)
    observe(database, right, actual=0.0, age=OLD)
    observe(database, wrong, actual=0.0)
    totals = _counted(database)[V1]
    assert totals == Totals(confidence_sum=Decimal("7.2"), confidence_count=9, correct=3, incorrect=2)


def test_forecasts_are_counted_by_their_errors(database: str) -> None:
    ids = log_predictions(database, "v1", [{}] * 2, label=None, prediction=12.5)
    observe(database, ids[:1], actual=10.0)
    observe(database, ids[1:], actual=13.0)
    totals = _counted(database)[V1]
    assert (totals.absolute_error_sum, totals.actual_sum) == (Decimal(3), Decimal(23))
    assert (totals.correct, totals.incorrect) == (0, 0)


def test_values_that_would_spoil_a_sum_are_left_out(database: str) -> None:
    log_predictions(database, "v1", [{}], confidence=float("nan"))
    log_predictions(database, "v1", [{}], confidence=None)
    ids = log_predictions(database, "v1", [{}], label=None)
    observe(database, ids, actual=float("nan"))
    assert _counted(database)[V1] == Totals(confidence_sum=Decimal("0.8"), confidence_count=1)


def test_other_model_types_are_not_counted(database: str) -> None:
    log_predictions(database, "v1", [{}], model_type="somebody_elses")
    assert _counted(database) == {}


def test_counting_goes_on_where_it_was_and_a_restart_counts_the_same(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}] * 5, age=OLD)
    assert _counted(database, counters)[V1].confidence_count == 5
    log_predictions(database, "v1", [{}] * 3)
    assert _counted(database, counters)[V1].confidence_count == 8
    later = timedelta(minutes=4)
    log_predictions(database, "v1", [{}] * 2, age=-later)
    assert _counted(database, counters, later)[V1] == _counted(database)[V1]


def test_only_recent_rows_are_read_again(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}] * 5, age=OLD)
    _counted(database, counters)
    with psycopg.connect(database) as connection:
        connection.execute("delete from ml_predictions")
    # What has settled is not read again, so the deletion is not seen.
    assert _counted(database, counters)[V1].confidence_count == 5


def test_a_row_that_was_committed_late_is_found_by_the_recount(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}] * 5, age=OLD)
    _counted(database, counters)
    log_predictions(database, "v1", [{}] * 2, age=OLD)
    assert _counted(database, counters)[V1].confidence_count == 5
    assert _counted(database, counters, SETTLES_AFTER)[V1].confidence_count == 7


def test_what_came_with_an_outage_is_found_after_it(database: str) -> None:
    counters = Counters()
    _counted(database, counters)
    _counted(database, counters, SETTLES_AFTER)
    counters.after_outage(_now(database) + SETTLES_AFTER)
    log_predictions(database, "v1", [{}] * 2, age=timedelta(hours=1))
    assert V1 not in _counted(database, counters, SETTLES_AFTER)
    assert _counted(database, counters, 2 * SETTLES_AFTER)[V1].confidence_count == 2


def _counted(url: str, counters: Counters | None = None, later: timedelta = timedelta()) -> Counts:
    """Count as of now, or as of some time later."""

    async def counted() -> Counts:
        async with await Database(url, "test").connect() as connection:
            return await (counters or Counters()).count(connection, TYPES, _now(url) + later)

    return asyncio.run(counted())


def _now(url: str) -> datetime:
    with psycopg.connect(url) as connection:
        [(now,)] = connection.execute("select now()").fetchall()
    found: datetime = now
    return found

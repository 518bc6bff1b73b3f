"""The counters: exact over restarts, late rows, outages and deletions, and cheap in between."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

import psycopg
import pytest

from tests.monitor.builders import NOON, log_predictions, observe
from trainer.daemon.postgres import Connection, Database
from trainer.monitor.hours import (
    HOUR,
    RECOUNTED_EACH_ROUND,
    RECOUNTED_SPAN,
    SETTLES_AFTER,
    Hours,
    OpenHours,
    floor,
    spans,
)
from trainer.monitor.intervals import of_labels
from trainer.monitor.totals import Counters, Counts, Totals, Version

TYPES = frozenset({"churn_risk"})
V1 = ("churn_risk", "v1")
OLD = timedelta(hours=3)
AFTER_REOPENING = SETTLES_AFTER + timedelta(seconds=1)


def test_an_hour_stays_open_until_five_minutes_after_its_end() -> None:
    hours = OpenHours(reopened_until=NOON)
    assert hours.start(NOON, NOON + timedelta(minutes=59)) == NOON
    assert hours.start(NOON, NOON + timedelta(minutes=64)) == NOON
    assert hours.start(NOON + HOUR, NOON + timedelta(minutes=66)) == NOON + HOUR


def test_the_hours_of_an_absence_stay_open_for_five_minutes_more() -> None:
    hours = OpenHours()
    back = NOON + timedelta(hours=7, minutes=30)
    assert hours.start(NOON, back) == NOON
    assert hours.start(floor(back), back + timedelta(minutes=4)) == NOON
    assert hours.start(floor(back), back + timedelta(minutes=5)) == floor(back)
    hours.came_back()
    assert hours.start(NOON, back) == NOON


def test_a_long_past_is_counted_once_and_not_for_five_minutes() -> None:
    hours = OpenHours()
    assert hours.start(NOON - timedelta(days=400), NOON) == NOON - timedelta(days=400)
    assert hours.start(NOON - timedelta(days=100), NOON) == NOON - timedelta(days=100)
    assert hours.start(NOON, NOON) == NOON - timedelta(days=1)


def test_a_silent_model_costs_no_walk_through_its_silence() -> None:
    hours = OpenHours(counted_until=NOON, reopened_until=NOON)
    assert hours.start(NOON - timedelta(days=300), NOON + timedelta(minutes=1)) == NOON - HOUR


def test_the_last_eight_days_are_recounted_in_turn() -> None:
    hours = OpenHours()
    *turn, first_again = [hours.next_to_recount(NOON) for _ in range(RECOUNTED_SPAN // RECOUNTED_EACH_ROUND + 1)]
    assert turn[0] == first_again
    assert (turn[0][0], turn[-1][1]) == (NOON - RECOUNTED_SPAN, NOON)
    assert all(until == begin for (_, until), (begin, _) in pairwise(turn))


def test_no_statement_counts_more_than_three_hours() -> None:
    pieces = list(spans(NOON, NOON + timedelta(hours=8)))
    assert (pieces[0][0], pieces[-1][1], len(pieces)) == (NOON, NOON + timedelta(hours=8), 3)


def test_classifiers_are_counted_by_whether_they_were_right(database: str) -> None:
    right = log_predictions(database, "v1", [{}] * 3, label=False, age=OLD)
    wrong = log_predictions(database, "v1", [{}] * 2, label=True)
    log_predictions(database, "v1", [{}] * 4)
    observe(database, right, actual=0.0, age=OLD)
    observe(database, wrong, actual=0.0)
    assert _counted(database)[V1] == Totals(
        confidence_sum=Decimal("7.2"), confidence_count=9, correct=3, incorrect=2, accuracy=of_labels(3, 5)
    )


def test_forecasts_are_counted_by_their_errors_and_intervals(database: str) -> None:
    ids = log_predictions(database, "v1", [{}] * 3, label=None, prediction=12.5)
    with psycopg.connect(database) as connection:
        connection.execute("update ml_predictions set interval_low = 11, interval_high = 14 where id <> %s", (ids[2],))
    for id_, actual in zip(ids, (10.0, 13.0, 12.5), strict=True):
        observe(database, [id_], actual=actual)
    totals = _counted(database)[V1]
    assert (totals.absolute_error_sum, totals.actual_sum) == (Decimal(3), Decimal("35.5"))
    assert (totals.is_forecaster, totals.correct, totals.incorrect) == (True, 0, 0)
    # The third has no interval, and says nothing of intervals.
    assert (totals.covered, totals.uncovered) == (1, 1)
    assert totals.accuracy is not None
    assert totals.accuracy.ratio == pytest.approx(1 - 3 / 35.5)


def test_values_that_would_spoil_a_sum_are_left_out(database: str) -> None:
    log_predictions(database, "v1", [{}], confidence=float("nan"))
    log_predictions(database, "v1", [{}], confidence=None)
    ids = log_predictions(database, "v1", [{}], label=None)
    observe(database, ids, actual=float("nan"))
    assert _counted(database)[V1] == Totals(confidence_sum=Decimal("0.8"), confidence_count=1, is_forecaster=True)


def test_other_model_types_are_not_counted(database: str) -> None:
    log_predictions(database, "v1", [{}], model_type="somebody_elses")
    assert _counted(database) == {}


def test_a_live_version_begins_at_zero_and_as_the_kind_of_its_model_type(database: str) -> None:
    assert _counted(database, live=[V1]) == {V1: Totals()}
    log_predictions(database, "v0", [{}], label=None)
    assert _counted(database, live=[V1])[V1] == Totals(is_forecaster=True)


def test_counting_goes_on_where_it_was_and_a_restart_counts_the_same(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}] * 5, age=OLD)
    assert _counted(database, counters)[V1].confidence_count == 5
    log_predictions(database, "v1", [{}] * 3)
    assert _counted(database, counters)[V1].confidence_count == 8
    later = timedelta(minutes=4)
    log_predictions(database, "v1", [{}] * 2, age=-later)
    assert _counted(database, counters, later)[V1] == _counted(database)[V1]
    assert _counted(database)[V1].confidence_count == 10


def test_rows_that_are_deleted_stay_counted(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}] * 5, age=OLD)
    log_predictions(database, "v1", [{}] * 2)
    _counted(database, counters)
    with psycopg.connect(database) as connection:
        connection.execute("delete from ml_predictions")
    assert _counted(database, counters)[V1].confidence_count == 7
    assert _counted(database)[V1].confidence_count == 7


def test_a_row_that_was_committed_late_is_found_by_the_recount(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}] * 5, age=OLD)
    log_predictions(database, "v1", [{}])
    _counted(database, counters)
    log_predictions(database, "v1", [{}] * 2, age=OLD)
    assert _counted(database, counters, AFTER_REOPENING)[V1].confidence_count == 6
    for _ in range(RECOUNTED_SPAN // RECOUNTED_EACH_ROUND):
        found = _counted(database, counters, AFTER_REOPENING)
    assert found[V1].confidence_count == 8


def test_what_came_with_an_outage_is_found_right_after_it(database: str) -> None:
    counters = Counters()
    log_predictions(database, "v1", [{}], age=OLD)
    _counted(database, counters)
    counters.came_back()
    assert _counted(database, counters, timedelta(hours=2))[V1].confidence_count == 1
    log_predictions(database, "v1", [{}] * 2, age=-timedelta(hours=1))
    assert _counted(database, counters, timedelta(hours=2, minutes=4))[V1].confidence_count == 3


def test_two_monitors_at_once_count_each_row_once(database: str) -> None:
    for age in range(30):
        log_predictions(database, "v1", [{}] * 3, age=timedelta(hours=age))
        log_predictions(database, "v2", [{}], age=timedelta(hours=age))

    async def all_at_once() -> list[Counts]:
        return list(await asyncio.gather(*(_count(database, Counters(), timedelta(), ()) for _ in range(4))))

    for counts in asyncio.run(all_at_once()):
        assert counts[V1].confidence_count == 90


def test_a_past_of_months_is_counted_before_any_of_it_is_shown(database: str) -> None:
    log_predictions(database, "v1", [{}] * 3, age=timedelta(days=100))
    log_predictions(database, "v1", [{}] * 4)
    assert _counted(database, Counters(budget_seconds=-1), live=[V1]) == {}
    assert _counted(database, live=[V1])[V1].confidence_count == 7


def test_model_types_share_the_time_of_a_round_however_many_they_are(database: str) -> None:
    counted: dict[str, float] = {}

    class Watched(Hours):
        async def count(self, connection: Connection, model_type: str, now: datetime, seconds: float) -> bool:
            counted[model_type] = seconds
            return await super().count(connection, model_type, now, seconds)

    counters = Counters(budget_seconds=30)
    counters._hours = Watched()  # noqa: SLF001 - whom it asks
    types = frozenset(f"type_{number}" for number in range(12))
    asyncio.run(_count(database, counters, timedelta(), (), types))
    assert sum(counted.values()) == pytest.approx(30)


def test_the_accuracy_is_that_of_the_last_seven_days(database: str) -> None:
    ids = log_predictions(database, "v1", [{}] * 10, label=True, age=timedelta(days=20))
    observe(database, ids[:6], actual=0.0, age=timedelta(days=8))
    observe(database, ids[6:], actual=1.0, age=timedelta(days=6))
    totals = _counted(database)[V1]
    assert (totals.correct, totals.incorrect) == (4, 6)
    assert totals.accuracy == of_labels(4, 4)


def _counted(
    url: str, counters: Counters | None = None, later: timedelta = timedelta(), live: Sequence[Version] = ()
) -> Counts:
    """Count as of now, or as of some time later."""
    return asyncio.run(_count(url, counters or Counters(), later, live))


async def _count(
    url: str, counters: Counters, later: timedelta, live: Sequence[Version], types: frozenset[str] = TYPES
) -> Counts:
    async with await Database(url, "test").connect() as connection:
        return await counters.count(connection, types, datetime.now(UTC) + later, live)

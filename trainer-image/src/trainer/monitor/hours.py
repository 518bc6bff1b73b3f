"""Keeps `ml_prediction_hours`: what is counted of predictions and outcomes, by the hour.

An hour's row is counted anew from all of its predictions and outcomes and never added to, so it may be counted twice,
by two monitors at once, and again whenever rows come late. Each round counts the hours that are still open, and a few
of the last eight days once more, in turn: a row that was committed long after its time is found within some hours.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from trainer.daemon.postgres import Connection

HOUR = timedelta(hours=1)
# A server writes a prediction, and writes again what it held back during an outage, within this time.
SETTLES_AFTER = timedelta(minutes=5)
REOPENED_SPAN = timedelta(days=1)
RECOUNTED_SPAN = timedelta(days=8)
RECOUNTED_EACH_ROUND = 2 * HOUR
# One statement counts three hours at most: for longer spans Postgres would rather read all predictions.
LONGEST_SPAN = 3 * HOUR


def floor(moment: datetime) -> datetime:
    """Return the beginning of the hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


@dataclass(slots=True)
class OpenHours:
    """From when on the hours of one model type are still counted in each round, and which are next to be recounted."""

    counted_until: datetime | None = None
    reopened_from: datetime | None = None
    reopened_until: datetime | None = None
    recounted_until: datetime | None = None

    def start(self, newest: datetime, now: datetime) -> datetime:
        """Return the first open hour, where `newest` is the newest that has a row.

        Hours close five minutes after their end. What a monitor finds open when it comes back (the hours of its own
        absence or the database's, a day of them at most) stays open for five minutes more, for what servers held back.
        """
        start = floor(min(max(newest, self.counted_until or newest), now - SETTLES_AFTER))
        if self.reopened_until is None:
            self.reopened_from, self.reopened_until = max(start, floor(now - REOPENED_SPAN)), now + SETTLES_AFTER
        if self.reopened_from is not None and now < self.reopened_until:
            return min(start, self.reopened_from)
        return start

    def came_back(self) -> None:
        """Note that the database was lost and has come back."""
        self.reopened_from = self.reopened_until = None

    def next_to_recount(self, start: datetime) -> tuple[datetime, datetime]:
        """Return the next span before the open hours to count once more, the oldest after the newest."""
        begin = self.recounted_until
        if begin is None or begin >= start or begin < start - RECOUNTED_SPAN:
            begin = start - RECOUNTED_SPAN
        self.recounted_until = min(start, begin + RECOUNTED_EACH_ROUND)
        return begin, self.recounted_until


def spans(start: datetime, end: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Yield the time from start to end in pieces of at most three hours."""
    while start < end:
        until = min(end, start + LONGEST_SPAN)
        yield start, until
        start = until


@dataclass(slots=True)
class Hours:
    """The hours of all model types of a database."""

    _open: dict[str, OpenHours] = field(default_factory=dict)

    def came_back(self) -> None:
        """Note that the database was lost and has come back."""
        for hours in self._open.values():
            hours.came_back()

    async def count(self, connection: Connection, model_type: str, now: datetime, seconds: float) -> bool:
        """Count what is open of a model type; returns whether everything until now has been counted.

        It begins nothing more after so many seconds. The first time, with years of predictions behind it, that takes
        several rounds.
        """
        newest = await _newest(connection, model_type)
        if newest is None:
            return True
        hours = self._open.setdefault(model_type, OpenHours())
        start, began = hours.start(newest, now), time.monotonic()
        # A server's clock may be ahead of the database's.
        for begin, until in spans(start, floor(now) + 2 * HOUR):
            if time.monotonic() - began > seconds:
                return False
            await _count(connection, model_type, begin, until)
        hours.counted_until = now
        await _count(connection, model_type, *hours.next_to_recount(start))
        return True


async def _newest(connection: Connection, model_type: str) -> datetime | None:
    """Return the newest hour that has been counted, before it the oldest that is to be; None without any row."""
    [(newest,)] = await (await connection.execute(_NEWEST, (model_type,))).fetchall()
    if newest is None:
        [(newest,)] = await (await connection.execute(_OLDEST, {"type": model_type})).fetchall()
    found: datetime | None = newest
    return found


async def _count(connection: Connection, model_type: str, begin: datetime, until: datetime) -> None:
    await connection.execute(_COUNT, {"type": model_type, "begin": begin, "until": until})


_NEWEST = "SELECT max(hour) FROM ml_prediction_hours WHERE model_type = %s"

_OLDEST = "SELECT min(predicted_at) FROM ml_predictions WHERE model_type = %(type)s"

# NaN and infinities, which would spoil a sum for ever, are outside of any range. A classifier's prediction has a label,
# a forecaster's has none. Rows are written in order, so that two monitors do not wait for each other in a circle.
# An hour whose rows have been deleted since keeps what it counted: to Prometheus a counter that falls is one that began
# anew, and all that is left would look like an increase.
_COUNT = """
    WITH predicted AS (
        SELECT date_bin('1 hour', predicted_at, '2000-01-01 00:00Z') AS hour, model_version,
               sum(confidence_score::numeric) AS confidence_sum, count(*) AS confidence_count,
               count(*) FILTER (WHERE predicted_label IS NULL) AS unlabelled
        FROM ml_predictions
        WHERE model_type = %(type)s AND predicted_at >= %(begin)s AND predicted_at < %(until)s
          AND confidence_score BETWEEN 0 AND 1
        GROUP BY 1, 2
    ), outcomes AS (
        SELECT date_bin('1 hour', o.observed_at, '2000-01-01 00:00Z') AS hour, p.model_version,
               p.predicted_label AS label, o.actual, abs(p.prediction - o.actual) AS error,
               o.actual BETWEEN p.interval_low AND p.interval_high AS is_covered
        FROM ml_outcomes o JOIN ml_predictions p ON p.id = o.prediction_id
        WHERE o.observed_at >= %(begin)s AND o.observed_at < %(until)s AND p.model_type = %(type)s
          AND abs(o.actual) < 'infinity' AND abs(p.prediction) < 'infinity'
    ), observed AS (
        SELECT hour, model_version,
               count(*) FILTER (WHERE label = (actual >= 0.5)) AS correct,
               count(*) FILTER (WHERE label <> (actual >= 0.5)) AS incorrect,
               count(*) FILTER (WHERE label IS NULL) AS forecasts,
               coalesce(sum(error::numeric) FILTER (WHERE label IS NULL), 0) AS absolute_error_sum,
               coalesce(sum(actual::numeric) FILTER (WHERE label IS NULL), 0) AS actual_sum,
               coalesce(sum(error ^ 2) FILTER (WHERE label IS NULL), 0) AS error_squares,
               coalesce(sum(actual ^ 2) FILTER (WHERE label IS NULL), 0) AS actual_squares,
               coalesce(sum(error * actual) FILTER (WHERE label IS NULL), 0) AS error_actual,
               count(*) FILTER (WHERE is_covered) AS covered,
               count(*) FILTER (WHERE NOT is_covered) AS uncovered
        FROM outcomes GROUP BY 1, 2
    )
    INSERT INTO ml_prediction_hours AS present
    SELECT %(type)s, hour, model_version, coalesce(confidence_sum, 0), coalesce(confidence_count, 0),
           coalesce(unlabelled, 0), coalesce(correct, 0), coalesce(incorrect, 0), coalesce(forecasts, 0),
           coalesce(absolute_error_sum, 0), coalesce(actual_sum, 0), coalesce(error_squares, 0),
           coalesce(actual_squares, 0), coalesce(error_actual, 0), coalesce(covered, 0), coalesce(uncovered, 0)
    FROM predicted FULL JOIN observed USING (hour, model_version)
    ORDER BY hour, model_version
    ON CONFLICT (model_type, hour, model_version) DO UPDATE SET
        (confidence_sum, confidence_count, unlabelled, correct, incorrect, forecasts, absolute_error_sum, actual_sum,
         error_squares, actual_squares, error_actual, covered, uncovered) =
        (excluded.confidence_sum, excluded.confidence_count, excluded.unlabelled, excluded.correct, excluded.incorrect,
         excluded.forecasts, excluded.absolute_error_sum, excluded.actual_sum, excluded.error_squares,
         excluded.actual_squares, excluded.error_actual, excluded.covered, excluded.uncovered)
    WHERE present IS DISTINCT FROM excluded
      AND excluded.confidence_count >= present.confidence_count AND excluded.confidence_sum >= present.confidence_sum
      AND excluded.correct >= present.correct AND excluded.incorrect >= present.incorrect
      AND excluded.absolute_error_sum >= present.absolute_error_sum AND excluded.actual_sum >= present.actual_sum
      AND excluded.covered >= present.covered AND excluded.uncovered >= present.uncovered
"""

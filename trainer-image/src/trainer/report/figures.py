"""What the database knows of the reported days, each question one statement over all models."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeAlias, TypeVar
from zoneinfo import ZoneInfo

from psycopg.rows import class_row, dict_row

from trainer.daemon.postgres import Connection
from trainer.monitor.drift import Drift, measure_drift
from trainer.monitor.intervals import Accuracy
from trainer.monitor.totals import Version, accuracy_of
from trainer.monitor.training_table import TrainingTable


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The reported time, and whose days they are."""

    since: datetime
    until: datetime
    zone: ZoneInfo


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How one version was used: the guide's report, with the 95th percentile of the latency in milliseconds.

    Of one `day`, or of the whole period where that is None; `users` are counted of the whole only.
    """

    model_type: str
    model_version: str
    day: date | None
    predictions: int
    users: int | None
    confidence: float | None
    latency_ms: float | None
    latency_p95_ms: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of the ledger."""

    model_type: str
    version: str
    event: str
    reason: str
    message: str
    run: str | None
    at: datetime
    weight: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A version's row in `model_metadata`."""

    model_type: str
    version: str
    accuracy: float | None
    trained_at: datetime
    is_active: bool
    run: str | None


Accuracies: TypeAlias = Mapping[Version, Accuracy]
"""Realised accuracies of the versions that have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """All that the database knows of the period."""

    period: Period
    usage: Sequence[Usage]
    accuracies: Accuracies
    daily_accuracies: Mapping[date, Accuracies]
    drifts: Sequence[Drift]
    tables: Sequence[TrainingTable]
    ledger: Sequence[Entry]
    versions: Sequence[Recorded]


async def read_figures(
    connection: Connection, namespace: str, model_types: Sequence[str], period: Period, tables: Sequence[TrainingTable]
) -> Figures:
    """Return the figures of these model types; raises psycopg.Error."""
    asked = {
        "namespace": namespace,
        "types": sorted(model_types),
        "since": period.since,
        "until": period.until,
        "zone": period.zone.key,
    }
    daily = await _accuracies(connection, asked)
    return Figures(
        period=period,
        usage=await _usage(connection, asked),
        accuracies=daily.pop(None, {}),
        daily_accuracies={day: accuracies for day, accuracies in daily.items() if day is not None},
        drifts=await measure_drift(connection, namespace, model_types),
        tables=tables,
        ledger=await _rows(connection, Entry, _LEDGER, asked),
        versions=await _rows(connection, Recorded, _RECORDED, asked),
    )


T = TypeVar("T")


async def _rows(connection: Connection, row: type[T], query: str, asked: Mapping[str, Any]) -> list[T]:
    async with connection.cursor(row_factory=class_row(row)) as cursor:
        await cursor.execute(query, asked)
        return await cursor.fetchall()


async def _usage(connection: Connection, asked: Mapping[str, Any]) -> list[Usage]:
    async with connection.transaction():
        # Enough for the groups of ten million rows; and compiling the statement would cost more than it gains.
        await connection.execute("SET LOCAL work_mem = '128MB'; SET LOCAL jit = off")
        return await _rows(connection, Usage, _USAGE, asked)


async def _accuracies(connection: Connection, asked: Mapping[str, Any]) -> dict[date | None, dict[Version, Accuracy]]:
    """Return the accuracies by day of observation; those of the whole period under None."""
    found: dict[date | None, dict[Version, Accuracy]] = {}
    async with connection.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(_ACCURACIES, asked)
        async for row in cursor:
            if (accuracy := accuracy_of(row)) is not None:
                found.setdefault(row["day"], {})[row["model_type"], row["model_version"]] = accuracy
    return found


# The guide's report, by version and day, and by version alone (`day` null). Latencies are put into bins one percent
# wide, so that the 95th percentile costs a sum and not a sort of all rows; it is exact to half a percent. Hours and
# bins are the expressions that migrations 0005 and 0007 have statistics of. An hour parted by midnight is of the day it
# begins on.
_USAGE = """
    WITH binned AS MATERIALIZED (
        SELECT model_type, model_version, date_bin('1 hour', predicted_at, '2000-01-01 00:00Z') AS hour,
               round(100 * ln(greatest(response_time_ms, 1e-6))) AS bin, count(*) AS predictions,
               sum(confidence_score) AS confidences, count(confidence_score) AS confident,
               sum(response_time_ms) AS milliseconds, count(response_time_ms) AS timed
        FROM ml_predictions
        WHERE model_type = ANY(%(types)s) AND predicted_at > %(since)s AND predicted_at <= %(until)s
        GROUP BY 1, 2, 3, 4
    ), dated AS (
        SELECT *, (hour AT TIME ZONE %(zone)s)::date AS day FROM binned
    ), summed AS (
        SELECT model_type, model_version, day, bin, sum(predictions) AS predictions, sum(confidences) AS confidences,
               sum(confident) AS confident, sum(milliseconds) AS milliseconds, sum(timed) AS timed
        FROM dated GROUP BY GROUPING SETS ((1, 2, 3, 4), (1, 2, 4))
    ), ranked AS (
        SELECT *, sum(timed) OVER (PARTITION BY model_type, model_version, day ORDER BY bin) AS rank,
               sum(timed) OVER (PARTITION BY model_type, model_version, day) AS ranks
        FROM summed
    ), users AS (
        SELECT model_type, model_version, NULL::date AS day, count(*) AS users
        FROM (
            SELECT model_type, model_version, user_id FROM ml_predictions
            WHERE model_type = ANY(%(types)s) AND predicted_at > %(since)s AND predicted_at <= %(until)s
              AND user_id IS NOT NULL
            GROUP BY 1, 2, 3
        ) AS each GROUP BY 1, 2
    ), used AS (
        SELECT model_type, model_version, day, sum(predictions)::bigint AS predictions,
               sum(confidences) / nullif(sum(confident), 0) AS confidence,
               sum(milliseconds) / nullif(sum(timed), 0) AS latency_ms,
               exp(min(bin) FILTER (WHERE rank >= 0.95 * ranks) / 100) AS latency_p95_ms
        FROM ranked GROUP BY 1, 2, 3
    )
    SELECT used.*, CASE WHEN used.day IS NULL THEN coalesce(users.users, 0) END AS users
    FROM used LEFT JOIN users USING (model_type, model_version) ORDER BY model_type, model_version, used.day
"""

_ACCURACIES = """
    SELECT model_type, model_version, (hour AT TIME ZONE %(zone)s)::date AS day,
           sum(unlabelled) + sum(forecasts) > 0 AS is_forecaster, sum(correct) AS correct, sum(incorrect) AS incorrect,
           sum(forecasts) AS forecasts, sum(absolute_error_sum) AS absolute_error_sum, sum(actual_sum) AS actual_sum,
           sum(error_squares) AS error_squares, sum(actual_squares) AS actual_squares, sum(error_actual) AS error_actual
    FROM ml_prediction_hours
    WHERE model_type = ANY(%(types)s) AND hour > %(since)s AND hour <= %(until)s
    GROUP BY GROUPING SETS ((1, 2, 3), (1, 2))
"""

_LEDGER = """
    SELECT model_type, version, event, reason, message, run, at, weight FROM model_ledger
    WHERE namespace = %(namespace)s AND model_type = ANY(%(types)s) AND at > %(since)s AND at <= %(until)s
    ORDER BY id
"""

_RECORDED = """
    SELECT model_type, version, accuracy, trained_at, is_active, run FROM model_metadata
    WHERE namespace = %(namespace)s AND model_type = ANY(%(types)s)
    ORDER BY model_type, trained_at DESC
"""

"""What has been counted of each version: counters since its beginning, and its accuracy in the last week."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from psycopg.rows import dict_row

from trainer.daemon.postgres import Connection
from trainer.monitor.hours import Hours
from trainer.monitor.intervals import Accuracy, ForecastSums, of_forecasts, of_labels

WINDOW = timedelta(days=7)
"""What the accuracy gauge looks back on; any other window is asked of the counters."""

BUDGET_SECONDS = 30.0
"""How much of a round counting may take, all model types together: the next round continues."""

Version: TypeAlias = tuple[str, str]
"""Model type and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the rows of a version; of a forecaster, whose predictions have no label, the last five.

    Decimal sums do not depend on the order of rows. A counter that fell by a rounding error would look to Prometheus as
    if it had been reset. `covered` are outcomes inside the forecast's interval, `uncovered` those outside.
    """

    confidence_sum: Decimal = Decimal(0)
    confidence_count: int = 0
    correct: int = 0
    incorrect: int = 0
    is_forecaster: bool = False
    absolute_error_sum: Decimal = Decimal(0)
    actual_sum: Decimal = Decimal(0)
    covered: int = 0
    uncovered: int = 0
    accuracy: Accuracy | None = None


Counts: TypeAlias = Mapping[Version, Totals]


class Counters:
    """The totals of all versions, kept up to date at the cost of the recent rows."""

    def __init__(self, budget_seconds: float = BUDGET_SECONDS) -> None:
        self._hours = Hours()
        self._budget_seconds = budget_seconds

    def came_back(self) -> None:
        """Note that the database was lost and has come back."""
        self._hours.came_back()

    async def count(
        self, connection: Connection, model_types: frozenset[str], now: datetime, live: Sequence[Version] = ()
    ) -> Counts:
        """Return the totals of every version of these model types; `now` is the database's.

        A counter that appears with its first rows would hide them: `increase` sees only what came after. So versions
        that are `live`, which may be asked at any moment, begin at zero. For the same reason a model type whose past
        has not been counted to its end is left out.
        """
        seconds = self._budget_seconds / max(1, len(model_types))
        counted = [kind for kind in sorted(model_types) if await self._hours.count(connection, kind, now, seconds)]
        async with connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_TOTALS, {"types": counted, "recent": now - WINDOW})
            found = {(row["model_type"], row["model_version"]): _totals(row) async for row in cursor}
        forecasting = {model_type for (model_type, _), totals in found.items() if totals.is_forecaster}
        zeros = {v: Totals(is_forecaster=v[0] in forecasting) for v in live if v[0] in counted}
        return {**zeros, **found}


def _totals(row: Mapping[str, Any]) -> Totals:
    return Totals(
        confidence_sum=row["confidence_sum"],
        confidence_count=int(row["confidence_count"]),
        correct=int(row["correct"]),
        incorrect=int(row["incorrect"]),
        is_forecaster=row["is_forecaster"],
        absolute_error_sum=row["absolute_error_sum"],
        actual_sum=row["actual_sum"],
        covered=int(row["covered"]),
        uncovered=int(row["uncovered"]),
        accuracy=accuracy_of(row, "recent_"),
    )


def accuracy_of(row: Mapping[str, Any], prefix: str = "") -> Accuracy | None:
    """Return the accuracy in sums of `ml_prediction_hours`, whose names begin with the prefix."""
    get = {name.removeprefix(prefix): value for name, value in row.items() if name.startswith(prefix)}
    if not row["is_forecaster"]:
        return of_labels(int(get["correct"]), int(get["correct"] + get["incorrect"]))
    sums = ForecastSums(
        count=int(get["forecasts"]),
        errors=float(get["absolute_error_sum"]),
        actuals=float(get["actual_sum"]),
        error_squares=float(get["error_squares"]),
        actual_squares=float(get["actual_squares"]),
        error_actual=float(get["error_actual"]),
    )
    return of_forecasts(sums)


_TOTALS = """
    SELECT model_type, model_version,
           sum(confidence_sum) AS confidence_sum, sum(confidence_count) AS confidence_count,
           sum(unlabelled) + sum(forecasts) > 0 AS is_forecaster,
           sum(correct) AS correct, sum(incorrect) AS incorrect,
           sum(absolute_error_sum) AS absolute_error_sum, sum(actual_sum) AS actual_sum,
           sum(covered) AS covered, sum(uncovered) AS uncovered,
           coalesce(sum(correct) FILTER (WHERE hour > %(recent)s), 0) AS recent_correct,
           coalesce(sum(incorrect) FILTER (WHERE hour > %(recent)s), 0) AS recent_incorrect,
           coalesce(sum(forecasts) FILTER (WHERE hour > %(recent)s), 0) AS recent_forecasts,
           coalesce(sum(absolute_error_sum) FILTER (WHERE hour > %(recent)s), 0) AS recent_absolute_error_sum,
           coalesce(sum(actual_sum) FILTER (WHERE hour > %(recent)s), 0) AS recent_actual_sum,
           coalesce(sum(error_squares) FILTER (WHERE hour > %(recent)s), 0) AS recent_error_squares,
           coalesce(sum(actual_squares) FILTER (WHERE hour > %(recent)s), 0) AS recent_actual_squares,
           coalesce(sum(error_actual) FILTER (WHERE hour > %(recent)s), 0) AS recent_error_actual
    FROM ml_prediction_hours WHERE model_type = ANY(%(types)s) GROUP BY 1, 2
"""

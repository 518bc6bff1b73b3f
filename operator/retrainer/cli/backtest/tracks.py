"""What Prometheus said at each step of the past, as the vectors that the operator would have been given."""

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from retrainer.cli.backtest.history import Matrix, Span
from retrainer.core.measurement import Answer, NoData, NoDataReason, Series, Vector

_NOTHING = NoData(NoDataReason.EMPTY, "no series")


class Track:
    """One question's answers over a span."""

    def __init__(self, matrix: Matrix, span: Span) -> None:
        self._start, self._step = span.start.timestamp(), span.step.total_seconds()
        self._series: dict[int, list[Series]] = defaultdict(list)
        self._not_finite: dict[int, list[Mapping[str, str]]] = defaultdict(list)
        for series in matrix:
            self._take(series)

    def at(self, moment: datetime) -> Answer:
        """Return the answer as of a step."""
        number = self._number(moment.timestamp())
        series, not_finite = self._series.get(number, []), tuple(self._not_finite.get(number, ()))
        if series:
            return Vector(tuple(series), moment, not_finite)
        return NoData(NoDataReason.NAN, "no value is finite") if not_finite else _NOTHING

    def moments(self) -> list[datetime]:
        """Return the steps at which there was any series."""
        return [datetime.fromtimestamp(self._start + number * self._step, UTC) for number in sorted(self._series)]

    def _take(self, series: Mapping[str, Any]) -> None:
        labels = series["metric"]
        for at, text in series["values"]:
            value, number = float(text), self._number(at)
            if math.isfinite(value):
                self._series[number].append(Series(labels, value))
            else:
                self._not_finite[number].append(labels)

    def _number(self, timestamp: float) -> int:
        return round((timestamp - self._start) / self._step)

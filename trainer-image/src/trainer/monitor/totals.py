"""Counters over `ml_predictions` and `ml_outcomes` that neither begin anew with the monitor nor scan all rows always.

Rows older than five minutes are *settled*: counted once, into totals that are kept. Each round counts the younger ones
and adds them. Because a row may be committed late, with a time before that line, everything is counted afresh every
hour, and five minutes after the process began or the database came back, when servers have written what they held back.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeAlias

from trainer.daemon.postgres import Connection

SETTLES_AFTER = timedelta(minutes=5)
RECOUNTED_EVERY = timedelta(hours=1)
BEGINNING = datetime(1, 1, 2, tzinfo=UTC)

Version: TypeAlias = tuple[str, str]
"""Model type and version."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Sums over the rows of a version; the last two are of forecasts, which have no label.

    Decimal sums do not depend on the order of rows. A counter that fell by a rounding error would look to Prometheus as
    if it had been reset.
    """

    confidence_sum: Decimal = Decimal(0)
    confidence_count: int = 0
    correct: int = 0
    incorrect: int = 0
    absolute_error_sum: Decimal = Decimal(0)
    actual_sum: Decimal = Decimal(0)

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(**{name: getattr(self, name) + getattr(other, name) for name in _NAMES})

    def covers(self, other: "Totals") -> bool:
        """Return whether no total is below the other's."""
        return all(getattr(self, name) >= getattr(other, name) for name in _NAMES)


_NAMES = tuple(total.name for total in fields(Totals))

Counts: TypeAlias = Mapping[Version, Totals]


@dataclass(frozen=True, slots=True)
class Settled:
    """What has been counted for good: the rows of these model types before `until`; and when to count afresh."""

    model_types: frozenset[str] = frozenset()
    until: datetime = BEGINNING
    counts: Counts = field(default_factory=dict)
    recount_at: datetime = BEGINNING

    def after_outage(self, now: datetime) -> "Settled":
        """Count afresh once the servers have had time to write what they held back."""
        return replace(self, recount_at=min(self.recount_at, now + SETTLES_AFTER))

    def since(self, model_types: frozenset[str], now: datetime) -> datetime:
        """Return from when on rows are to be counted: where this ends, or the beginning."""
        return BEGINNING if now >= self.recount_at or model_types != self.model_types else self.until

    def advanced(self, model_types: frozenset[str], now: datetime, newly_settled: Counts) -> "Settled":
        """Return this with the rows before `now` less five minutes, as counted from `since`, settled, too."""
        until = now - SETTLES_AFTER
        if self.since(model_types, now) != BEGINNING:
            return replace(self, until=until, counts=_sum(self.counts, newly_settled))
        # Rows that were deleted since stay counted: to Prometheus a counter that falls is one that began anew, and all
        # that is left would look like an increase.
        kept = {version: totals for version, totals in self.counts.items() if version[0] in model_types}
        counts = {**kept, **{version: new for version, new in newly_settled.items() if new.covers(_of(kept, version))}}
        # The first count of a process may have come right after an outage, so the second one follows soon.
        again = SETTLES_AFTER if self.until == BEGINNING else RECOUNTED_EVERY
        return Settled(model_types, until, counts, now + again)


class Counters:
    """The totals of all versions, kept up to date at the cost of the recent rows."""

    def __init__(self) -> None:
        self._settled = Settled()

    def after_outage(self, now: datetime) -> None:
        """Note that the database was lost and has come back."""
        self._settled = self._settled.after_outage(now)

    async def count(self, connection: Connection, model_types: frozenset[str], now: datetime) -> Counts:
        """Return the totals of every version of these model types; `now` is the database's."""
        span = {
            "types": sorted(model_types),
            "since": self._settled.since(model_types, now),
            "settled": now - SETTLES_AFTER,
        }
        settled: dict[Version, Totals] = {}
        recent: dict[Version, Totals] = {}
        for query in (_PREDICTIONS, _OUTCOMES):
            cursor = await connection.execute(query, span)
            async for model_type, version, is_settled, *sums in cursor:
                side = settled if is_settled else recent
                key = (model_type, version)
                side[key] = _of(side, key) + _totals(query, sums)
        self._settled = self._settled.advanced(model_types, now, settled)
        return _sum(self._settled.counts, recent)


# NaN and infinities, which would spoil a sum for ever, are outside of any range.
_PREDICTIONS = """
    SELECT model_type, model_version, predicted_at < %(settled)s, sum(confidence_score::numeric), count(*)
    FROM ml_predictions
    WHERE model_type = ANY(%(types)s) AND predicted_at >= %(since)s AND confidence_score BETWEEN 0 AND 1
    GROUP BY 1, 2, 3
"""

# A classifier's prediction has a label, a forecaster's has none.
_OUTCOMES = """
    SELECT p.model_type, p.model_version, o.observed_at < %(settled)s,
           count(*) FILTER (WHERE p.predicted_label = (o.actual >= 0.5)),
           count(*) FILTER (WHERE p.predicted_label <> (o.actual >= 0.5)),
           coalesce(sum(abs(p.prediction - o.actual)::numeric) FILTER (WHERE p.predicted_label IS NULL), 0),
           coalesce(sum(o.actual::numeric) FILTER (WHERE p.predicted_label IS NULL), 0)
    FROM ml_outcomes o JOIN ml_predictions p ON p.id = o.prediction_id
    WHERE o.observed_at >= %(since)s AND p.model_type = ANY(%(types)s)
      AND abs(o.actual) < 'infinity' AND abs(p.prediction) < 'infinity'
    GROUP BY 1, 2, 3
"""


def _totals(query: str, sums: Iterable[Any]) -> Totals:
    if query == _PREDICTIONS:
        confidence_sum, count = sums
        return Totals(confidence_sum=confidence_sum, confidence_count=count)
    correct, incorrect, absolute_error_sum, actual_sum = sums
    return Totals(correct=correct, incorrect=incorrect, absolute_error_sum=absolute_error_sum, actual_sum=actual_sum)


def _of(counts: Counts, version: Version) -> Totals:
    return counts.get(version, Totals())


def _sum(left: Counts, right: Counts) -> dict[Version, Totals]:
    return {version: _of(left, version) + _of(right, version) for version in left.keys() | right.keys()}

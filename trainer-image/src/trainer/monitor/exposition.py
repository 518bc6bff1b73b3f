"""The monitor's rows of the metrics contract, as Prometheus reads them."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from trainer.monitor.drift import Drift
from trainer.monitor.totals import Totals, Version
from trainer.monitor.training_table import TrainingTable

LABELS = ("model_type", "model_version")


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one round measured; a part that could not be measured is empty."""

    totals: Mapping[Version, Totals] = field(default_factory=dict)
    drifts: Sequence[Drift] = ()
    tables: Sequence[TrainingTable] = ()


class Exposition(Collector):
    """Holds the evidence of the last round for as long as it is fresh.

    Stale evidence is worse than none: a value that stands still looks like a model that does. Once the database has not
    answered for `stale_seconds` only the time of its last answer is left, 0 if it never did.
    """

    def __init__(self, stale_seconds: float, clock: Callable[[], float]) -> None:
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._evidence = Evidence()
        self._answered_at = 0.0
        self._model_types: frozenset[str] = frozenset()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def expects(self, model_types: frozenset[str]) -> None:
        """Note which model types there are policies for."""
        self._model_types = model_types

    def answered(self, evidence: Evidence) -> None:
        """Show this evidence from now on."""
        self._evidence = evidence
        self._answered_at = self._clock()

    def text(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self._registry)

    @override
    def collect(self) -> Iterator[Metric]:
        yield self._last_success()
        if self._clock() - self._answered_at <= self._stale_seconds:
            yield from _totals(self._evidence.totals)
            yield from _drifts(self._evidence.drifts)
            yield from _tables(self._evidence.tables)

    def _last_success(self) -> Metric:
        family = GaugeMetricFamily(
            "retrainer_monitor_last_success_timestamp_seconds", "When the database last answered.", labels=LABELS[:1]
        )
        for model_type in sorted(self._model_types):
            family.add_metric((model_type,), self._answered_at)
        return family


def _totals(totals: Mapping[Version, Totals]) -> Iterator[Metric]:
    confidence = SummaryMetricFamily(
        "retrainer_prediction_confidence", "Confidences of logged predictions.", labels=LABELS
    )
    outcomes = CounterMetricFamily(
        "retrainer_outcomes",
        "Predictions whose outcome is known, by whether they were right.",
        labels=(*LABELS, "correct"),
    )
    # Sums without a count: the contract names no more, and `Metric` is the way to say so.
    errors = Metric("retrainer_absolute_error", "Sum of |forecast - actual|.", "summary")
    actuals = Metric("retrainer_actual", "Sum of what forecasts were about.", "summary")
    for version, total in sorted(totals.items()):
        confidence.add_metric(version, total.confidence_count, float(total.confidence_sum))
        if total.absolute_error_sum or total.actual_sum:
            labels = dict(zip(LABELS, version, strict=True))
            errors.add_sample("retrainer_absolute_error_sum", labels, float(total.absolute_error_sum))
            actuals.add_sample("retrainer_actual_sum", labels, float(total.actual_sum))
        else:
            outcomes.add_metric((*version, "true"), total.correct)
            outcomes.add_metric((*version, "false"), total.incorrect)
    yield from (confidence, outcomes, errors, actuals)


def _drifts(drifts: Sequence[Drift]) -> Iterator[Metric]:
    features = GaugeMetricFamily(
        "retrainer_feature_psi",
        "Population stability index of a feature against the version's training reference.",
        labels=(*LABELS, "feature"),
    )
    predictions = GaugeMetricFamily(
        "retrainer_prediction_psi", "Population stability index of the predictions.", labels=LABELS
    )
    missing = GaugeMetricFamily(
        "retrainer_feature_missing_ratio",
        "Share of missing values in recent predictions' features.",
        labels=(*LABELS, "feature"),
    )
    for drift in drifts:
        if drift.feature is None:
            if drift.psi is not None:
                predictions.add_metric(drift.version, drift.psi)
            continue
        if drift.psi is not None:
            features.add_metric((*drift.version, drift.feature), drift.psi)
        if drift.missing is not None:
            missing.add_metric((*drift.version, drift.feature), drift.missing)
    yield from (features, predictions, missing)


def _tables(tables: Sequence[TrainingTable]) -> Iterator[Metric]:
    rows = GaugeMetricFamily("retrainer_training_rows", "Rows in the training table.", labels=LABELS[:1])
    changed = GaugeMetricFamily(
        "retrainer_schema_change",
        "1 for each column of the training table that differs from the champion's schema.",
        labels=(*LABELS, "column", "change"),
    )
    for table in tables:
        rows.add_metric((table.model_type,), table.rows)
        for column, change in table.changes.items():
            changed.add_metric((table.model_type, table.champion or "", column, change), 1)
    yield from (rows, changed)

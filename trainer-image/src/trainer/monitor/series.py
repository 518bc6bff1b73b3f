"""The monitor's rows of the metrics contract, one function a kind of evidence."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from trainer.monitor.drift import Drift
from trainer.monitor.totals import Totals, Version
from trainer.monitor.training_table import TrainingTable

LABELS = ("model_type", "model_version")


def totals(found: Mapping[Version, Totals]) -> Iterator[Metric]:
    """Yield the counters: confidences, outcomes, and the sums of forecasts."""
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
    for version, total in sorted(found.items()):
        confidence.add_metric(version, total.confidence_count, float(total.confidence_sum))
        if total.absolute_error_sum or total.actual_sum:
            labels = dict(zip(LABELS, version, strict=True))
            errors.add_sample("retrainer_absolute_error_sum", labels, float(total.absolute_error_sum))
            actuals.add_sample("retrainer_actual_sum", labels, float(total.actual_sum))
        else:
            outcomes.add_metric((*version, "true"), total.correct)
            outcomes.add_metric((*version, "false"), total.incorrect)
    yield from (confidence, outcomes, errors, actuals)


def drifts(found: Sequence[Drift]) -> Iterator[Metric]:
    """Yield how far features and predictions have moved, whether by chance, and what share of them is missing."""
    yield from _of_predictions([drift for drift in found if drift.feature is None])
    yield from _of_features([drift for drift in found if drift.feature is not None])


def _of_predictions(found: Sequence[Drift]) -> Iterator[Metric]:
    index = GaugeMetricFamily(
        "retrainer_prediction_psi", "Population stability index of the predictions.", labels=LABELS
    )
    chance = GaugeMetricFamily(
        "retrainer_prediction_drift_p_value",
        "How often chance alone would move the predictions as far from the training reference.",
        labels=(*LABELS, "test"),
    )
    for drift in found:
        if drift.psi is not None:
            index.add_metric(drift.version, drift.psi)
        if drift.test is not None:
            chance.add_metric((*drift.version, drift.test.test), drift.test.p_value)
    yield from (index, chance)


def _of_features(found: Sequence[Drift]) -> Iterator[Metric]:
    labels = (*LABELS, "feature")
    index = GaugeMetricFamily(
        "retrainer_feature_psi",
        "Population stability index of a feature against the version's training reference.",
        labels=labels,
    )
    chance = GaugeMetricFamily(
        "retrainer_feature_drift_p_value",
        "How often chance alone would move the feature as far from the version's training reference.",
        labels=(*labels, "test"),
    )
    missing = GaugeMetricFamily(
        "retrainer_feature_missing_ratio", "Share of missing values in recent predictions' features.", labels=labels
    )
    for drift in found:
        key = (*drift.version, drift.feature or "")
        if drift.psi is not None:
            index.add_metric(key, drift.psi)
        if drift.test is not None:
            chance.add_metric((*key, drift.test.test), drift.test.p_value)
        if drift.missing is not None:
            missing.add_metric(key, drift.missing)
    yield from (index, chance, missing)


def tables(found: Sequence[TrainingTable]) -> Iterator[Metric]:
    """Yield the training tables' rows, the columns that changed, and whether the champion can do without them."""
    rows = GaugeMetricFamily("retrainer_training_rows", "Rows in the training table.", labels=LABELS[:1])
    changed = GaugeMetricFamily(
        "retrainer_schema_change",
        "1 for each column of the training table that differs from the champion's schema.",
        labels=(*LABELS, "column", "change"),
    )
    accepted = GaugeMetricFamily(
        "retrainer_schema_accepted",
        "1 if the training table still has every feature of the champion in its kind, else 0.",
        labels=LABELS,
    )
    for table in found:
        rows.add_metric((table.model_type,), table.rows)
        for column, change in table.changes.items():
            changed.add_metric((table.model_type, table.champion or "", column, change), 1)
        if table.accepted is not None:
            accepted.add_metric((table.model_type, table.champion or ""), table.accepted)
    yield from (rows, changed, accepted)

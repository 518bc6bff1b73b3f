"""The monitor's rows of the metrics contract, one function a kind of evidence."""

from collections.abc import Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric, SummaryMetricFamily

from trainer.monitor.drift import Drift
from trainer.monitor.totals import Totals, Version
from trainer.monitor.training_table import TrainingTable

LABELS = ("model_type", "model_version")


def totals(found: Mapping[Version, Totals]) -> Iterator[Metric]:
    """Yield the counters of confidences and outcomes, and the accuracy of the last week."""
    confidence = SummaryMetricFamily(
        "retrainer_prediction_confidence", "Confidences of logged predictions.", labels=LABELS
    )
    for version, total in sorted(found.items()):
        confidence.add_metric(version, total.confidence_count, float(total.confidence_sum))
    yield confidence
    yield from _labels({version: total for version, total in sorted(found.items()) if not total.is_forecaster})
    yield from _forecasts({version: total for version, total in sorted(found.items()) if total.is_forecaster})
    yield from _accuracies(found)


def _labels(found: Mapping[Version, Totals]) -> Iterator[Metric]:
    outcomes = CounterMetricFamily(
        "retrainer_outcomes",
        "Predictions whose outcome is known, by whether they were right.",
        labels=(*LABELS, "correct"),
    )
    for version, total in found.items():
        outcomes.add_metric((*version, "true"), total.correct)
        outcomes.add_metric((*version, "false"), total.incorrect)
    yield outcomes


def _forecasts(found: Mapping[Version, Totals]) -> Iterator[Metric]:
    # Sums without a count: the contract names no more, and `Metric` is the way to say so.
    errors = Metric("retrainer_absolute_error", "Sum of |forecast - actual|.", "summary")
    actuals = Metric("retrainer_actual", "Sum of what forecasts were about.", "summary")
    intervals = CounterMetricFamily(
        "retrainer_interval_outcomes",
        "Forecasts with an 80 % interval whose outcome is known, by whether it was inside.",
        labels=(*LABELS, "covered"),
    )
    for version, total in found.items():
        labels = dict(zip(LABELS, version, strict=True))
        errors.add_sample("retrainer_absolute_error_sum", labels, float(total.absolute_error_sum))
        actuals.add_sample("retrainer_actual_sum", labels, float(total.actual_sum))
        intervals.add_metric((*version, "true"), total.covered)
        intervals.add_metric((*version, "false"), total.uncovered)
    yield from (errors, actuals, intervals)


def _accuracies(found: Mapping[Version, Totals]) -> Iterator[Metric]:
    described = "Accuracy of the outcomes of the last seven days"
    ratio = GaugeMetricFamily("retrainer_accuracy_ratio", f"{described}.", labels=LABELS)
    low = GaugeMetricFamily(
        "retrainer_accuracy_ratio_low", f"{described}: lower end of its 95 % interval.", labels=LABELS
    )
    high = GaugeMetricFamily(
        "retrainer_accuracy_ratio_high", f"{described}: upper end of its 95 % interval.", labels=LABELS
    )
    samples = GaugeMetricFamily("retrainer_accuracy_samples", "Outcomes of the last seven days.", labels=LABELS)
    for version, total in sorted(found.items()):
        if (accuracy := total.accuracy) is not None:
            ratio.add_metric(version, accuracy.ratio)
            low.add_metric(version, accuracy.low)
            high.add_metric(version, accuracy.high)
            samples.add_metric(version, accuracy.samples)
    yield from (ratio, low, high, samples)


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

"""The series, and when there are none."""

from decimal import Decimal

from trainer.monitor.drift import Drift
from trainer.monitor.exposition import Evidence, Exposition
from trainer.monitor.intervals import Accuracy
from trainer.monitor.totals import Totals
from trainer.monitor.training_table import ColumnChange, TrainingTable
from trainer.monitor.two_sample import TwoSample

V1, F1 = ("churn_risk", "v1"), ("workload_forecast", "f1")
EVIDENCE = Evidence(
    {
        V1: Totals(
            confidence_sum=Decimal("7.25"),
            confidence_count=9,
            correct=3,
            incorrect=2,
            accuracy=Accuracy(0.6, 0.23, 0.88, 5),
        ),
        F1: Totals(
            confidence_count=1,
            confidence_sum=Decimal("0.5"),
            is_forecaster=True,
            absolute_error_sum=Decimal(3),
            actual_sum=Decimal(23),
            covered=8,
            uncovered=2,
        ),
    },
    [
        Drift(V1, "member_age", 0.25, 0.1, TwoSample("ks", 0.11, 0.001)),
        Drift(V1, None, 0.5, 0.0, TwoSample("ks", 0.2, 0.0001)),
        Drift(V1, "few", None, None),
    ],
    [TrainingTable("churn_risk", 42, "v1", {"shift": ColumnChange.ADDED}, accepted=True)],
)


class Clock:
    """Time that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_every_series_of_the_contract_is_there_with_its_labels() -> None:
    exposition = Exposition(60, Clock())
    exposition.expects(frozenset({"churn_risk"}))
    exposition.answered(EVIDENCE)
    v1 = 'model_type="churn_risk",model_version="v1"'
    f1 = 'model_type="workload_forecast",model_version="f1"'
    assert _series(exposition) == {
        'retrainer_monitor_last_success_timestamp_seconds{model_type="churn_risk"}': 1000,
        f"retrainer_prediction_confidence_sum{{{v1}}}": 7.25,
        f"retrainer_prediction_confidence_count{{{v1}}}": 9,
        f"retrainer_prediction_confidence_sum{{{f1}}}": 0.5,
        f"retrainer_prediction_confidence_count{{{f1}}}": 1,
        f'retrainer_outcomes_total{{correct="true",{v1}}}': 3,
        f'retrainer_outcomes_total{{correct="false",{v1}}}': 2,
        f"retrainer_absolute_error_sum{{{f1}}}": 3,
        f"retrainer_actual_sum{{{f1}}}": 23,
        f'retrainer_interval_outcomes_total{{covered="true",{f1}}}': 8,
        f'retrainer_interval_outcomes_total{{covered="false",{f1}}}': 2,
        f"retrainer_accuracy_ratio{{{v1}}}": 0.6,
        f"retrainer_accuracy_ratio_low{{{v1}}}": 0.23,
        f"retrainer_accuracy_ratio_high{{{v1}}}": 0.88,
        f"retrainer_accuracy_samples{{{v1}}}": 5,
        f'retrainer_feature_psi{{feature="member_age",{v1}}}': 0.25,
        f'retrainer_feature_missing_ratio{{feature="member_age",{v1}}}': 0.1,
        f"retrainer_prediction_psi{{{v1}}}": 0.5,
        f'retrainer_feature_drift_p_value{{feature="member_age",{v1},test="ks"}}': 0.001,
        f'retrainer_prediction_drift_p_value{{{v1},test="ks"}}': 0.0001,
        'retrainer_training_rows{model_type="churn_risk"}': 42,
        f'retrainer_schema_change{{change="added",column="shift",{v1}}}': 1,
        f"retrainer_schema_accepted{{{v1}}}": 1,
    }


def test_stale_evidence_disappears_and_only_the_time_of_the_last_answer_stays() -> None:
    clock = Clock()
    exposition = Exposition(60, clock)
    exposition.expects(frozenset({"churn_risk"}))
    exposition.answered(EVIDENCE)
    clock.now += 61
    assert _series(exposition) == {'retrainer_monitor_last_success_timestamp_seconds{model_type="churn_risk"}': 1000}
    exposition.answered(EVIDENCE)
    assert len(_series(exposition)) > 10


def test_a_database_that_never_answered_is_told_by_a_zero() -> None:
    exposition = Exposition(60, Clock())
    exposition.expects(frozenset({"churn_risk"}))
    assert _series(exposition) == {'retrainer_monitor_last_success_timestamp_seconds{model_type="churn_risk"}': 0}


def _series(exposition: Exposition) -> dict[str, float]:
    lines = [line for line in exposition.text().decode().splitlines() if not line.startswith("#")]
    found = {}
    for line in lines:
        series, value = line.rsplit(" ", 1)
        name, _, labels = series.partition("{")
        ordered = ",".join(sorted(labels.rstrip("}").split(",")))
        found[f"{name}{{{ordered}}}"] = float(value)
    assert len(found) == len(lines)
    return found

"""The figures of a classifier are what their definitions say."""

import numpy as np
import pytest

from trainer.artifact import Calibration
from trainer.metrics import area_under_curve, binary_metrics, expected_calibration_error
from trainer.tasks.binary import calibrated_probabilities
from trainer.tasks.platt import platt_scaling


def test_the_metrics_of_a_small_case_counted_by_hand() -> None:
    probabilities, labels = np.array([0.9, 0.8, 0.4, 0.3, 0.2]), np.array([1.0, 0.0, 1.0, 0.0, 0.0])
    figures = binary_metrics(probabilities, labels, probabilities >= 0.5)
    assert figures["accuracy"] == pytest.approx(3 / 5)
    assert figures["baseline_accuracy"] == pytest.approx(3 / 5)
    assert figures["auc"] == pytest.approx(5 / 6)
    assert figures["precision"] == pytest.approx(1 / 2)
    assert figures["recall"] == pytest.approx(1 / 2)
    assert figures["brier"] == pytest.approx(np.mean([0.01, 0.64, 0.36, 0.09, 0.04]))


def test_the_area_under_the_curve_is_the_share_of_pairs_in_order() -> None:
    generator = np.random.default_rng(1)
    scores, labels = generator.integers(0, 20, 200).astype(float), generator.integers(0, 2, 200).astype(float)
    positive, negative = scores[labels == 1], scores[labels == 0]
    pairs = (positive[:, None] > negative).mean() + 0.5 * (positive[:, None] == negative).mean()
    assert area_under_curve(scores, labels) == pytest.approx(pairs)


def test_the_area_is_a_half_where_there_is_nothing_to_tell_apart() -> None:
    assert area_under_curve(np.array([0.1, 0.9]), np.ones(2)) == 0.5


def test_the_calibration_error_is_the_gap_of_stated_and_observed() -> None:
    probabilities, labels = np.array([0.75] * 4 + [1.0]), np.array([1.0, 1.0, 0.0, 0.0, 1.0])
    assert expected_calibration_error(probabilities, labels) == pytest.approx(4 / 5 * 0.25)


def test_platt_scaling_makes_overconfident_logits_honest() -> None:
    generator = np.random.default_rng(3)
    true_logits = generator.normal(0, 1.5, 5000)
    labels = (generator.random(5000) < 1 / (1 + np.exp(-true_logits))).astype(float)
    boasting = (3 * true_logits + 1).astype(np.float32)
    calibration = platt_scaling(boasting.astype(float), labels, np.ones(5000))
    assert calibration.slope == pytest.approx(1 / 3, abs=0.03)
    assert calibration.intercept == pytest.approx(-1 / 3, abs=0.1)
    before = expected_calibration_error(calibrated_probabilities(boasting, Calibration()), labels)
    after = expected_calibration_error(calibrated_probabilities(boasting, calibration), labels)
    assert after < 0.03
    assert before > 0.1


def test_platt_scaling_stays_finite_where_outcomes_are_separable() -> None:
    logits = np.linspace(-1, 1, 40)
    calibration = platt_scaling(logits, (logits > 0).astype(float), np.ones(40))
    assert 0 < calibration.slope < 20
    assert np.isfinite(calibration.intercept)

"""Intervals of accuracies: they hold the true one as often as they say."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from trainer.monitor.intervals import Accuracy, ForecastSums, of_forecasts, of_labels


@given(st.integers(1, 5000), st.data())
def test_the_interval_of_labels_is_wilsons(samples: int, data: st.DataObject) -> None:
    correct = data.draw(st.integers(0, samples))
    expected = stats.binomtest(correct, samples).proportion_ci(0.95, "wilson")
    found = of_labels(correct, samples)
    assert found is not None
    assert found.samples == samples
    assert found.low == pytest.approx(expected.low, abs=1e-6)
    assert found.high == pytest.approx(expected.high, abs=1e-6)


def test_without_outcomes_there_is_no_accuracy() -> None:
    assert of_labels(0, 0) is None
    assert of_forecasts(_sums(np.array([1.0]), np.array([5.0]))) is None
    assert of_forecasts(_sums(np.array([1.0, 1.0]), np.array([0.0, 0.0]))) is None


@pytest.mark.parametrize("samples", [60, 1000])
def test_the_interval_of_forecasts_holds_the_true_accuracy_as_often_as_it_says(samples: int) -> None:
    generator = np.random.default_rng(17)
    held = 0
    for _ in range(1000):
        actuals = generator.gamma(9.0, 5.0, samples)
        # Errors grow with what is forecast, as those of counts do; E|e| ÷ E a is 0.2 · √(2 ÷ π).
        errors = np.abs(generator.normal(0, 0.2, samples)) * actuals
        found = of_forecasts(_sums(errors, actuals))
        assert isinstance(found, Accuracy)
        held += found.low <= 1 - 0.2 * np.sqrt(2 / np.pi) <= found.high
    # 950 ± 21, three standard deviations; few outcomes cost an approximation a little.
    assert held >= 925


def _sums(errors: NDArray[np.float64], actuals: NDArray[np.float64]) -> ForecastSums:
    return ForecastSums(
        count=len(errors),
        errors=float(errors.sum()),
        actuals=float(actuals.sum()),
        error_squares=float((errors**2).sum()),
        actual_squares=float((actuals**2).sum()),
        error_actual=float((errors * actuals).sum()),
    )

"""The tests of drift, against scipy's and against what chance does."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trainer.monitor.two_sample import chi_squared, chi_squared_tail, kolmogorov_smirnov

COUNTS = st.lists(st.integers(6, 400), min_size=2, max_size=12)


@given(st.floats(0, 300), st.integers(1, 40))
def test_the_tail_of_chi_squared_is_scipys(statistic: float, degrees: int) -> None:
    assert chi_squared_tail(statistic, degrees) == pytest.approx(stats.chi2.sf(statistic, degrees), rel=1e-6, abs=1e-12)


@given(COUNTS, st.data())
def test_homogeneity_is_scipys_where_no_bin_is_small(reference: Sequence[int], data: st.DataObject) -> None:
    recent = data.draw(st.lists(st.integers(20, 400), min_size=len(reference), max_size=len(reference)))
    expected = stats.chi2_contingency([reference, recent], correction=False)
    if expected.expected_freq.min() < 5:
        return
    rows = sum(reference)
    found = chi_squared([count / rows for count in reference], rows, recent)
    assert found is not None
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, abs=1e-9)


def test_the_gap_of_distribution_functions_is_scipys_on_binned_values() -> None:
    generator = np.random.default_rng(5)
    reference, recent = generator.integers(0, 6, 900), generator.binomial(5, 0.52, 400)
    expected = stats.ks_2samp(reference, recent, method="asymp")
    shares = np.bincount(reference, minlength=6) / 900
    found = kolmogorov_smirnov(shares.tolist(), 900, np.bincount(recent, minlength=6).tolist())
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue, rel=0.5)


@pytest.mark.parametrize("test", [kolmogorov_smirnov, chi_squared])
def test_chance_alone_is_called_drift_as_seldom_as_it_says(test: object) -> None:
    generator = np.random.default_rng(11)
    shares = [0.3, 0.3, 0.2, 0.15, 0.05]
    alarms = 0
    for _ in range(1000):
        reference = generator.multinomial(800, shares) / 800
        found = test(reference.tolist(), 800, generator.multinomial(2000, shares).tolist())  # type: ignore[operator]
        alarms += found.p_value < 0.05
    # Of 1,000 tests at 5 % some 50 ± 21 (three standard deviations) err; fewer where bins hide a part of the gap.
    assert alarms < 75


@pytest.mark.parametrize("test", [kolmogorov_smirnov, chi_squared])
def test_a_shift_is_found(test: object) -> None:
    found = test([0.25] * 4, 800, [250, 350, 600, 800])  # type: ignore[operator]
    assert found.p_value < 1e-6


def test_a_category_that_is_new_is_found_though_the_reference_has_none_of_it() -> None:
    found = chi_squared([0.5, 0.5, 0.0], 800, [900, 900, 200])
    assert found is not None
    assert found.p_value < 1e-6


def test_a_feature_with_one_value_cannot_be_tested() -> None:
    assert chi_squared([1.0, 0.0], 800, [400, 0]) is None
    assert chi_squared([1.0, 0.0], 800, [400, 1]) is None


@given(COUNTS, st.lists(st.integers(0, 300), min_size=12, max_size=12))
def test_a_p_value_is_a_probability(reference: Sequence[int], recent: Sequence[int]) -> None:
    counts = [count + 1 for count in recent[: len(reference)]]
    shares = [count / sum(reference) for count in reference]
    for found in (kolmogorov_smirnov(shares, sum(reference), counts), chi_squared(shares, sum(reference), counts)):
        assert found is None or 0 <= found.p_value <= 1

"""The analysis is seldom wrong: bounds on what tests/bench/analysis_rates.py prints, on fewer rollouts."""

import pytest

from retrainer.api.v1alpha1.rollout import Rollout
from tests.analysis_simulation import Rates, Trial, rates

MARGIN = 0.05
COMPARED = {"preset": "Accuracy", "compareTo": "Champion", "maxRegression": MARGIN}
ROLLOUT = Rollout.model_validate({"stepWeights": [10], "minSamples": 100, "metrics": [COMPARED]})


def found(worse_by: float) -> Rates:
    return rates(ROLLOUT, Trial(0.85, worse_by, 100, 100, most_looks=150), rollouts=150, seed=7)


@pytest.mark.parametrize("worse_by", [-0.02, 0.0])
def test_a_candidate_that_is_no_worse_is_promoted(worse_by: float) -> None:
    assert (found(worse_by).promoted, found(worse_by).rolled_back) == (1.0, 0.0)


@pytest.mark.parametrize("worse_by", [2 * MARGIN, 4 * MARGIN])
def test_a_candidate_that_is_far_too_bad_is_rolled_back(worse_by: float) -> None:
    assert (found(worse_by).promoted, found(worse_by).rolled_back) == (0.0, 1.0)


def test_at_the_margin_itself_the_weight_is_held_rather_than_guessed() -> None:
    at_the_margin = found(MARGIN)
    assert at_the_margin.promoted < 0.12
    assert at_the_margin.rolled_back < 0.12
    assert at_the_margin.held > 0.8

"""When a fresh drift can be cured: the two ends of the plot in docs/models.md, which `bench.curability` draws.

One world may be lucky: what is held are the 95 % intervals of the mean over four of them.
"""

from collections.abc import Callable, Mapping

import pytest
from bench.curability import SEEDS, WANTED, WAYS, Estimate, accuracy_of_now, estimate

FRESH = 20
# Above what the old rule still gets right of the new world.
HALF_WAY = 0.7


@pytest.fixture
def trained(new_database: Callable[[], str]) -> Callable[[Mapping[str, object]], Estimate]:
    """Trains on each world, twenty days after its drift, and returns how right the versions are about the present."""
    return lambda data: estimate([accuracy_of_now(new_database(), FRESH, data, seed) for seed in SEEDS[:4]])


def test_a_drift_younger_than_the_holdout_is_not_cured_by_the_usual_training(
    trained: Callable[[Mapping[str, object]], Estimate],
) -> None:
    usual, *_ = WAYS.values()
    assert trained(usual).high < HALF_WAY


def test_a_short_holdout_recency_and_refit_cure_it(trained: Callable[[Mapping[str, object]], Estimate]) -> None:
    *_, short = WAYS.values()
    assert trained(short).low > WANTED

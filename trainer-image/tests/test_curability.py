"""When a fresh drift can be cured: the two ends of the plot in docs/models.md, which `bench.curability` draws."""

from bench.curability import WAYS, accuracy_of_now

FRESH = 14


def test_a_drift_younger_than_the_holdout_is_not_cured_by_the_usual_training(database: str) -> None:
    usual, *_ = WAYS.values()
    assert accuracy_of_now(database, FRESH, usual) < 0.65


def test_a_short_holdout_recency_and_refit_cure_it(database: str) -> None:
    *_, short = WAYS.values()
    assert accuracy_of_now(database, FRESH, short) >= 0.75

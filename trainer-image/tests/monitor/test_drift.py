"""Drift: the index itself, and the histograms that Postgres counts for it."""

import asyncio
import math
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.artifacts import reference
from tests.monitor.builders import NAMESPACE, log_predictions, register_version
from trainer.artifact import Histogram
from trainer.daemon.postgres import Database
from trainer.monitor.drift import FEWEST, SAMPLE, Drift, measure_drift, population_stability_index
from trainer.monitor.two_sample import chi_squared, kolmogorov_smirnov

SHARES = st.lists(st.integers(1, 1000), min_size=2, max_size=12).map(lambda parts: [p / sum(parts) for p in parts])


def test_an_unchanged_distribution_has_no_drift() -> None:
    assert population_stability_index([0.25, 0.5, 0.25], [25, 50, 25]) == 0


def test_the_index_is_the_textbooks() -> None:
    expected = (0.6 - 0.5) * math.log(0.6 / 0.5) + (0.4 - 0.5) * math.log(0.4 / 0.5)
    assert population_stability_index([0.5, 0.5], [60, 40]) == pytest.approx(expected)


def test_a_bin_that_was_empty_in_training_counts_and_stays_finite() -> None:
    assert 0.2 < population_stability_index([0.5, 0.5, 0.0], [40, 40, 20]) < 2


@given(SHARES, st.data())
def test_the_index_is_never_negative_and_never_infinite(shares: Sequence[float], data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(0, 500), min_size=len(shares), max_size=len(shares)))
    counts[0] += 1
    index = population_stability_index(shares, counts)
    assert -1e-9 <= index < 20


def test_features_are_binned_as_the_trainer_binned_them(database: str) -> None:
    generator = np.random.default_rng(3)
    rows: list[dict[str, Any]] = [
        {
            "union_tenure_years": float(generator.normal(9, 6)) if generator.random() > 0.1 else None,
            "member_age": float(generator.normal(60, 8)),
            "is_steward": bool(generator.random() < 0.1),
            "contract_type": str(generator.choice(["agency", "fixed_term", "permanent", "gig"])),
        }
        for _ in range(600)
    ]
    register_version(database, "v1")
    log_predictions(database, "v1", rows)
    found = _measured(database)
    for name, histogram in reference().features.items():
        values = [row[name] for row in rows if row.get(name) is not None]
        if not values:
            assert found[name] == Drift(("churn_risk", "v1"), name, None, 1.0)
            continue
        counts = [0] * len(histogram.shares)
        for value in values:
            counts[_bin(histogram, value)] += 1
        assert found[name].psi == pytest.approx(population_stability_index(histogram.shares, counts)), name
        rows_behind = reference().rows * (1 - histogram.missing)
        test = chi_squared if histogram.categories else kolmogorov_smirnov
        assert found[name].test == test(histogram.shares, rows_behind, counts), name
        assert found[name].missing == pytest.approx(1 - len(values) / len(rows)), name
    assert found["member_age"].psi is not None
    assert found["member_age"].psi > 0.2
    assert found["member_age"].test is not None
    assert found["member_age"].test.p_value < 1e-6
    assert found[None].psi is not None


def test_too_few_predictions_show_nothing(database: str) -> None:
    register_version(database, "v1")
    log_predictions(database, "v1", [{"member_age": 40.0}] * (FEWEST - 1))
    assert {(drift.psi, drift.missing) for drift in _measured(database).values()} == {(None, None)}


def test_only_the_newest_predictions_of_a_day_count(database: str) -> None:
    register_version(database, "v1")
    log_predictions(database, "v1", [{"member_age": 90.0}] * 300, age=timedelta(hours=25))
    assert _measured(database) == {}
    log_predictions(database, "v1", [{"member_age": 90.0}] * 300, age=timedelta(hours=2))
    assert _measured(database)["member_age"].psi > 1  # type: ignore[operator]
    log_predictions(database, "v1", [{"member_age": age} for age in (20.0, 44.0, 44.0, 70.0)] * (SAMPLE // 4))
    assert _measured(database)["member_age"].psi == pytest.approx(0, abs=0.001)


def test_a_value_of_another_type_does_not_break_the_others(database: str) -> None:
    register_version(database, "v1")
    log_predictions(database, "v1", [{"member_age": "forty"}] * 10 + [{"member_age": 40.0}] * 300)
    assert _measured(database)["member_age"].psi is not None


def test_versions_of_other_namespaces_and_types_are_not_shown(database: str) -> None:
    register_version(database, "v1")
    log_predictions(database, "v1", [{"member_age": 40.0}] * 300)
    assert _measured(database, namespace="another") == {}
    assert _measured(database, model_type="workload_forecast") == {}


def test_a_version_without_a_reference_has_no_drift(database: str) -> None:
    register_version(database, "v1", reference=None)
    log_predictions(database, "v1", [{"member_age": 40.0}] * 300)
    assert _measured(database) == {}


def test_measuring_takes_little_of_the_database(database: str) -> None:
    for number in range(20):
        register_version(database, f"v{number}")
    features = {"union_tenure_years": 3.0, "member_age": 40.0, "is_steward": True, "contract_type": "agency"}
    for number in range(2):
        log_predictions(database, f"v{number}", [features] * 5000)
    with psycopg.connect(database, autocommit=True) as connection:
        connection.execute("vacuum analyze ml_predictions")
    assert len(_measured(database, statement_seconds=2.0)) == len(features) + 2


def _bin(histogram: Histogram, value: Any) -> int:
    """The bin of a value, by the trainer's rule instead of the database's."""
    if not histogram.categories:
        return int(np.searchsorted(histogram.edges, value, side="right"))
    text = str(value).lower() if isinstance(value, bool) else value
    return histogram.categories.index(text) if text in histogram.categories else len(histogram.categories)


def _measured(
    url: str, namespace: str = NAMESPACE, model_type: str = "churn_risk", statement_seconds: float = 10.0
) -> dict[str | None, Drift]:
    async def measured() -> list[Drift]:
        async with await Database(url, "test", statement_seconds).connect() as connection:
            return await measure_drift(connection, namespace, [model_type])

    return {drift.feature: drift for drift in asyncio.run(measured())}

"""The workload forecast: what a row may know of the past, and what a version says of the days to come."""

from datetime import timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.artifacts import path_of
from tests.requests import asked, request_document
from tests.trainings import train
from tests.worlds import TODAY, seed_world
from trainer.artifact import Artifact
from trainer.database import connect
from trainer.dataset.preparation import Prepared, prepare
from trainer.errors import DataRejected
from trainer.models.workload_forecast import MODEL
from trainer.tasks import FORECAST
from trainer.tasks.base import Calibration
from trainer.windows import LEVEL, NAIVE, TYPICAL, WEEKDAY, Windows

WINDOWS = Windows(horizon=14)
ALL_WINDOWS = (WINDOWS, Windows.of_weeks(4), Windows.of_weeks(51))
MONDAY = np.datetime64("2026-11-23")


@pytest.fixture(scope="module")
def world(shared_database: str) -> str:
    """The URL of a database with 260 days of the platform, whose units grew by half in the last ninety."""
    seed_world(shared_database, days=260, units=4)
    return shared_database


@pytest.fixture(scope="module")
def trained(world: str, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A version of the workload forecast."""
    return train(workload_request(tmp_path_factory.mktemp("versions"), "v1"), world)


def workload_request(artifacts: Path, version: str, **changes: object) -> dict[str, object]:
    hyperparameters = {"batchSize": 256, "epochs": 30}
    return request_document(
        artifacts, version, modelType="workload_forecast", policy="workload", hyperparameters=hyperparameters, **changes
    )


def prepared(url: str, **data: object) -> Prepared:
    request, _ = asked(workload_request(Path("unused"), "v1", data=data), url)
    with connect(url) as connection:
        return prepare(connection, request, {})


@given(st.integers(0, 2**32 - 1), st.integers(40, 90), st.sampled_from(ALL_WINDOWS))
def test_a_row_knows_nothing_of_what_comes_after_its_origin(seed: int, origin: int, windows: Windows) -> None:
    generator = np.random.default_rng(seed)
    history = generator.poisson(20, (2, 120)).astype(float)
    changed = history.copy()
    changed[:, origin + 1 :] = generator.poisson(90, (2, 120 - origin - 1))
    before, after = (windows.derive(each, np.array([origin]), MONDAY) for each in (history, changed))
    for name, values in before.items():
        assert np.array_equal(values, after[name], equal_nan=values.dtype != object), name


def test_a_series_ten_times_as_large_looks_the_same_but_for_its_size() -> None:
    history = np.random.default_rng(1).poisson(30, (1, 500)).astype(float)
    small, large = (WINDOWS.derive(each, np.array([480]), MONDAY) for each in (history, 10 * history))
    for name in set(small) - {LEVEL, "size", WEEKDAY}:
        assert small[name] == pytest.approx(large[name]), name
    assert large[LEVEL] == pytest.approx(10 * small[LEVEL])


def test_the_naive_forecast_is_the_newest_known_day_of_the_same_weekday() -> None:
    history = np.arange(100, dtype=float)[None]
    derived = WINDOWS.derive(history, np.array([99]), MONDAY)
    naive = (derived[NAIVE] * derived[LEVEL])[0, 0]
    # One to seven days ahead it is a week ago, eight to fourteen two weeks ago.
    assert naive == pytest.approx([*range(93, 100), *range(93, 100)])
    # Day 0 is a Monday, so day 100 is a Wednesday.
    assert derived[WEEKDAY][0, 0, 0] == "wednesday"


def test_the_same_days_a_year_ago_tell_the_season() -> None:
    day = np.arange(800)
    history = np.where(day % 364 < 30, 200.0, 100.0)[None]
    ratio = WINDOWS.derive(history, np.array([364 * 2 - 8]), MONDAY)["last_year"][0, 0]
    assert ratio[0] == pytest.approx(1)
    assert ratio[-1] == pytest.approx(2)


def test_gaps_and_short_pasts_are_missing_and_never_wrong() -> None:
    history = np.full((1, 60), np.nan)
    history[0, 50:] = 5
    assert np.isnan(WINDOWS.derive(history, np.array([55]), MONDAY)[LEVEL]).all()
    history[0, 30:] = 5
    derived = WINDOWS.derive(history, np.array([58]), MONDAY)
    assert (derived[LEVEL] == 5).all()
    assert (derived[TYPICAL] == 1).all()
    assert np.isnan(derived["last_year"]).all()


def test_rows_are_of_the_target_days_and_the_holdout_is_the_newest(world: str) -> None:
    found = prepared(world, window="120d", holdout="21d")
    assert found.dataset.days[0] == np.datetime64(TODAY - timedelta(days=120))
    assert found.dataset.days[-1] == np.datetime64(TODAY - timedelta(days=1))
    assert found.split.holdout.sum() == 21 * 4 * 14
    assert found.split.first_holdout_day == TODAY - timedelta(days=21)
    names = {feature.name for feature in found.features}
    assert {NAIVE, TYPICAL, "recently", WEEKDAY, "is_holiday", "members"} <= names
    assert LEVEL not in names


def test_a_column_that_is_known_ahead_is_used_and_one_that_is_not_is_refused(database: str) -> None:
    seed_world(database, days=150, units=3)
    with psycopg.connect(database) as connection:
        connection.execute("alter table unit_workload add strike_planned boolean, add closed_cases integer")
        connection.execute("update unit_workload set strike_planned = extract(doy from day)::int % 9 = 0")
        connection.execute("update unit_workload set closed_cases = cases / 2 + length(unit_id) * 3")
    with pytest.raises(DataRejected) as rejection:
        prepared(database, window="100d")
    assert (rejection.value.reason, rejection.value.message.split()[0]) == ("LabelLeak", "closed_cases")
    found = prepared(database, window="100d", features={"deny": ["closed_cases"]})
    assert "strike_planned" in {feature.name for feature in found.features}


def test_the_forecast_is_clearly_better_than_the_seasonal_naive(trained: Artifact) -> None:
    figures = trained.manifest.metrics["candidate"]
    assert figures["accuracy"] >= 0.8
    assert figures["skill_vs_baseline"] >= 0.1
    assert figures["baseline_accuracy"] < figures["accuracy"]
    assert abs(figures["bias"]) < 0.1


def test_four_of_five_outcomes_lie_in_the_interval(trained: Artifact) -> None:
    assert trained.manifest.metrics["candidate"]["coverage"] == pytest.approx(0.8, abs=0.1)


def test_the_same_series_and_seed_give_the_same_figures(trained: Artifact, world: str, artifacts: Path) -> None:
    again = train(workload_request(artifacts, "v1"), world)
    assert again.manifest.files["shipped.safetensors"] == trained.manifest.files["shipped.safetensors"]


def test_a_later_version_is_compared_with_the_champion(trained: Artifact, world: str) -> None:
    versions = path_of(trained).parent
    manifest = train(workload_request(versions, "v2", champion={"version": "v1"}), world).manifest
    assert manifest.champion_not_comparable == ""
    assert manifest.metrics["champion"]["accuracy"] == trained.manifest.metrics["candidate"]["accuracy"]


def test_the_confidence_falls_with_the_width_of_the_interval() -> None:
    outputs = np.array([[0.0, np.log(0.1), np.log(0.1)], [0.0, np.log(0.5), np.log(0.5)]], dtype=np.float32)
    rows = [{LEVEL: 100.0, TYPICAL: 1.0}] * 2
    narrow, wide = FORECAST.answers(outputs, rows, Calibration(), 0.5)
    assert (narrow.forecast, narrow.low, narrow.high) == pytest.approx((100, 90, 110))
    assert (narrow.confidence, wide.confidence) == pytest.approx((0.9, 0.5))


def test_calibration_widens_an_interval_that_is_too_narrow() -> None:
    generator = np.random.default_rng(2)
    labels = 100 + 10 * generator.standard_normal(4000)
    columns = {LEVEL: np.full(4000, 100.0), TYPICAL: np.ones(4000)}
    outputs = np.tile([0.0, np.log(0.05), np.log(0.05)], (4000, 1))
    calibration = FORECAST.calibrated(outputs, labels, columns, np.ones(4000), Calibration())
    # 80 % of a normal distribution lie within 1.2816 standard deviations.
    assert calibration.slope == pytest.approx(1.2816 * 0.1 / 0.05, rel=0.05)


def test_the_model_says_what_it_forecasts() -> None:
    assert MODEL.windows == WINDOWS
    assert MODEL.own_columns >= {"unit_id", "day", "cases", "outcome_at"}

"""The workload forecast over HTTP: of a unit looked up in memory, or of a series in the body."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from tests.artifacts import write_artifact
from tests.serve.processes import VERSION, Server, serving
from tests.worlds import TODAY, seed_world
from trainer.artifact import Calibration, Feature
from trainer.models.base import FeatureKind

FEATURES = (
    Feature(name="typical", kind=FeatureKind.NUMERIC, mean=1.0, scale=0.4),
    Feature(name="recently", kind=FeatureKind.NUMERIC, mean=1.0, scale=0.1),
    Feature(name="is_holiday", kind=FeatureKind.BOOLEAN, mean=0.03, scale=0.17),
    Feature(name="weekday", kind=FeatureKind.CATEGORICAL, categories=("monday", "sunday")),
)
ORIGIN = date(2026, 11, 22)
SERIES = {"origin": str(ORIGIN), "history": [20, 18, 17, 16, 15, 6, 5] * 5}


@pytest.fixture(scope="module")
def units(shared_database: str) -> str:
    """The URL of a database with 90 days of three units."""
    seed_world(shared_database, days=90, units=3)
    return shared_database


@pytest.fixture(scope="module")
def server(units: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    directory = tmp_path_factory.mktemp("platform") / "artifacts"
    forecaster: dict[str, Any] = {"model_type": "workload_forecast", "task": "forecast", "features": FEATURES}
    write_artifact(directory, VERSION, calibration=Calibration(scale=0.1), threshold=0.5, **forecaster)
    with serving(directory, DATABASE_URL=units) as running:
        yield running


def holiday(day: date) -> dict[str, Any]:
    return {"features": {**SERIES, "ahead": {str(day): {"is_holiday": True}}}}


def test_a_unit_is_forecast_for_each_of_the_next_fourteen_days(server: Server) -> None:
    answer = server.forecast({"unitId": "unit-02"})
    assert answer.status == 200
    assert (answer.json["modelType"], answer.json["modelVersion"]) == ("workload_forecast", VERSION)
    forecasts = answer.json["forecasts"]
    # The newest counted day is yesterday.
    assert [each["day"] for each in forecasts] == [str(TODAY + timedelta(days=step)) for step in range(14)]
    for each in forecasts:
        assert 0 <= each["low"] <= each["forecast"] <= each["high"]
        assert 0 <= each["confidence"] <= 1


def test_a_series_in_the_body_is_forecast_from_its_own_origin(server: Server) -> None:
    forecasts = server.forecast({"features": SERIES}).json["forecasts"]
    assert [each["day"] for each in forecasts][:2] == ["2026-11-23", "2026-11-24"]
    # The week begins with twenty cases and ends with five: what is typical of the weekday is what is corrected.
    assert forecasts[0]["forecast"] > 2 * forecasts[6]["forecast"]


def test_what_is_known_ahead_of_a_day_changes_that_day_alone(server: Server) -> None:
    plain = server.forecast({"features": SERIES}).json["forecasts"]
    known = server.forecast(holiday(ORIGIN + timedelta(days=3))).json["forecasts"]
    changed = [a["day"] for a, b in zip(plain, known, strict=True) if a["forecast"] != b["forecast"]]
    assert changed == ["2026-11-25"]


@pytest.mark.parametrize(
    ("document", "status", "reason"),
    [
        ({"unitId": "unit-99"}, 404, "UnknownUnit"),
        ({"memberId": "m1"}, 422, "InvalidRequest"),
        ({"features": {"history": [1, 2]}}, 422, "InvalidRequest"),
        ({"features": {**SERIES, "history": []}}, 422, "InvalidRequest"),
        ({"features": {**SERIES, "history": [-1] * 30}}, 422, "InvalidRequest"),
        ({"features": {**SERIES, "history": [1] * 801}}, 422, "InvalidRequest"),
        ({"features": {**SERIES, "ahead": {"2026-11-23": 1}}}, 422, "InvalidRequest"),
        ({"features": {**SERIES, "ahead": {"2026-11-23": {"is_holiday": "yes"}}}}, 422, "InvalidFeature"),
        ({"features": {**SERIES, "history": [5] * 13}}, 422, "HistoryTooShort"),
    ],
)
def test_what_cannot_be_forecast_is_refused_with_a_reason(
    server: Server, document: Any, status: int, reason: str
) -> None:
    answer = server.forecast(document)
    assert (answer.status, answer.json["reason"]) == (status, reason)


def test_each_day_is_logged_so_that_its_outcome_can_be_joined(units: str, tmp_path: Path) -> None:
    directory = tmp_path / "artifacts"
    forecaster: dict[str, Any] = {"model_type": "workload_forecast", "task": "forecast", "features": FEATURES}
    write_artifact(directory, VERSION, **forecaster)
    with serving(directory, DATABASE_URL=units) as running:
        answered = running.forecast({"unitId": "unit-01"}).json["forecasts"]
        assert running.terminate() == 0
    query = "select *, id::text from ml_predictions where user_id = 'unit-01'"
    with psycopg.connect(units, row_factory=dict_row) as connection:
        logged = {row["id"]: row for row in connection.execute(query)}
    assert set(logged) == {each["predictionId"] for each in answered}
    for each in answered:
        row = logged[each["predictionId"]]
        assert (row["prediction"], row["predicted_label"]) == (each["forecast"], None)
        assert (row["interval_low"], row["interval_high"]) == (each["low"], each["high"])
        assert row["features"]["day"] == each["day"]
        assert set(row["features"]) == {"day", *(feature.name for feature in FEATURES)}

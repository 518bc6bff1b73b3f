"""The workload forecast by the week: whole weeks of whole days, the same network, a naive forecast of its own."""

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
import pytest

from tests.artifacts import path_of
from tests.requests import asked, request_document
from tests.serve.processes import serving
from tests.trainings import train
from tests.worlds import TODAY, seed_world
from trainer.artifact import Artifact
from trainer.database import connect
from trainer.dataset.preparation import Prepared, prepare
from trainer.errors import DataRejected
from trainer.models.weekly_workload_forecast import MODEL
from trainer.models.workload_forecast import MODEL as DAILY
from trainer.windows import LEVEL, MONTH, NAIVE, TYPICAL, Windows

WEEKS = Windows.of_weeks(horizon=4)
MONDAY = np.datetime64("2026-11-23")
# The world ends on a Sunday whose cases are not counted yet, so its week is not whole either.
NEWEST_WHOLE_WEEK = date(2026, 11, 9)
DAYS, UNITS = 1250, 20
PATH = "/api/ml/predictions/weekly-workload-forecast"


@pytest.fixture(scope="module")
def world(shared_database: str) -> str:
    """The URL of a database with 1,250 days of twenty units."""
    seed_world(shared_database, days=DAYS, units=UNITS, members=20)
    return shared_database


@pytest.fixture(scope="module")
def trained(world: str, tmp_path_factory: pytest.TempPathFactory) -> Artifact:
    """A version of the weekly workload forecast."""
    return train(weekly_request(tmp_path_factory.mktemp("versions")), world)


def weekly_request(artifacts: Path) -> dict[str, Any]:
    return request_document(
        artifacts,
        "v1",
        modelType=MODEL.name,
        policy="weekly",
        data={"window": "730d", "holdout": "84d", "recencyHalfLife": "365d"},
        hyperparameters={"batchSize": 64, "epochs": 60},
    )


def prepared(url: str) -> Prepared:
    request, _ = asked(weekly_request(Path("unused")), url)
    with connect(url) as connection:
        return prepare(connection, request, {})


def test_it_is_the_daily_model_but_for_where_its_weeks_are() -> None:
    assert (MODEL.task, MODEL.hidden_layers, MODEL.id_column) == (DAILY.task, DAILY.hidden_layers, DAILY.id_column)


def test_a_week_is_the_sum_of_its_seven_days_once_all_are_counted(world: str) -> None:
    query = """select w.cases, (select sum(cases) from unit_workload d
                                where d.unit_id = w.unit_id and d.day between w.week and w.week + 6)
               from unit_workload_weeks w where w.week <= %s"""
    with psycopg.connect(world) as connection:
        rows = connection.execute(query, (NEWEST_WHOLE_WEEK,)).fetchall()
        later = connection.execute(
            "select week, bool_or(cases is not null) from unit_workload_weeks where week > %s group by 1 order by 1",
            (NEWEST_WHOLE_WEEK,),
        ).fetchall()
    # The first week began before the world did, and is none of them.
    days = DAYS - (TODAY - NEWEST_WHOLE_WEEK - timedelta(days=6)).days
    assert len(rows) == UNITS * (days // 7)
    assert all(week == days for week, days in rows)
    assert later == [(NEWEST_WHOLE_WEEK + timedelta(weeks=n), False) for n in range(1, 6)]


def test_the_naive_forecast_is_the_same_week_of_the_year_before() -> None:
    history = np.arange(200, dtype=float)[None]
    derived = WEEKS.derive(history, np.array([150]), MONDAY)
    assert (derived[NAIVE] * derived[LEVEL])[0, 0] == pytest.approx([99, 100, 101, 102])
    assert derived[MONTH][0, 0].tolist() == ["october"] * 3 + ["november"]


def test_typical_are_the_newest_weeks_carried_along_the_year() -> None:
    week = np.arange(160)
    season = np.where(week % 52 < 20, 150.0, 100.0)[None]
    derived = WEEKS.derive(season, np.array([2 * 52 + 18]), MONDAY)
    # The newest six are all of the high season, whose last week is the next one.
    assert (derived[TYPICAL] * derived[LEVEL])[0, 0] == pytest.approx([150 * 400 / 450, *[150 * 350 / 450], 100, 100])
    # Of a first year nothing is known that would move them.
    young = WEEKS.derive(np.full((1, 30), 80.0), np.array([29]), MONDAY)
    assert (young[TYPICAL] * young[LEVEL])[0, 0] == pytest.approx([80.0] * 4)


def test_a_horizon_that_last_year_cannot_tell_of_is_refused() -> None:
    Windows.of_weeks(horizon=51)
    with pytest.raises(ValueError, match="a horizon of 52 weeks is beyond"):
        Windows.of_weeks(horizon=52)


def test_rows_are_of_weeks_and_the_holdout_is_the_newest_of_them(world: str) -> None:
    found = prepared(world)
    assert found.last == NEWEST_WHOLE_WEEK
    assert {day.astype(date).weekday() for day in found.dataset.days} == {0}
    assert found.split.holdout.sum() == 12 * UNITS * WEEKS.horizon
    assert {"holidays", "dues_days", "members", MONTH, NAIVE} <= {feature.name for feature in found.features}


def test_the_forecast_is_clearly_better_than_the_seasonal_naive(trained: Artifact) -> None:
    figures = trained.manifest.metrics["candidate"]
    assert figures["accuracy"] >= 0.9
    assert figures["skill_vs_baseline"] >= 0.2
    assert figures["coverage"] == pytest.approx(0.8, abs=0.15)


def test_it_is_served_by_the_week(trained: Artifact, world: str) -> None:
    with serving(path_of(trained).parent, MODEL_VERSION="v1", DATABASE_URL=world, PROFILES_SECONDS="60") as server:
        found = server.ask("POST", PATH, json.dumps({"unitId": "unit-02"}).encode())
        series = {"origin": str(NEWEST_WHOLE_WEEK), "history": [100] * 3}
        refused = server.ask("POST", PATH, json.dumps({"features": series}).encode())
    forecasts = found.json["forecasts"]
    assert [each["day"] for each in forecasts] == [str(NEWEST_WHOLE_WEEK + timedelta(weeks=n)) for n in range(1, 5)]
    with psycopg.connect(world) as connection:
        [(usual,)] = connection.execute(
            "select avg(cases) from unit_workload_weeks where unit_id = 'unit-02' and week > %s",
            (NEWEST_WHOLE_WEEK - timedelta(weeks=8),),
        ).fetchall()
    assert all(0.6 * float(usual) < each["forecast"] < 1.4 * float(usual) for each in forecasts)
    assert (refused.status, refused.json["message"]) == (422, "at least 4 of the last 8 weeks must have a number")


def test_periods_of_another_length_are_refused(database: str) -> None:
    seed_world(database, days=300, units=3, members=20)
    with psycopg.connect(database) as connection:
        connection.execute("alter view unit_workload_weeks rename to whole_weeks")
        connection.execute(
            """create view unit_workload_weeks as
               select w.unit_id, w.week + case when unit_id = 'unit-02' then 3 else 0 end as week, w.members,
                      w.cases, w.outcome_at from whole_weeks w"""
        )
    with pytest.raises(DataRejected, match="is no whole number of weeks after"):
        prepared(database)

"""The seeded platform is believable, reproducible, and drifts when and how it is told to."""

from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from tests.worlds import TODAY, continue_world, seed_world
from trainer.errors import BadConfiguration

DRIFT = TODAY - timedelta(days=20)


def rows(url: str, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode(), parameters).fetchall()


def snapshots_of(url: str) -> list[tuple[Any, ...]]:
    return rows(url, "select * from member_snapshots order by member_id, as_of")


def average(url: str, column: str, condition: str, day: date) -> float:
    return float(rows(url, f"select avg({column}) from member_snapshots where as_of {condition} %s", day)[0][0])


def test_the_same_seed_gives_the_same_world(database: str) -> None:
    seed_world(database, days=60)
    first = snapshots_of(database)
    with psycopg.connect(database) as connection:
        for table in ("member_snapshots", "profiles", "unit_workload", "world_truth", "world"):
            connection.execute(SQL("delete from {}").format(Identifier(table)))
    seed_world(database, days=60)
    assert snapshots_of(database) == first


def test_every_member_has_a_snapshot_a_week_and_a_profile(database: str) -> None:
    summary = seed_world(database)
    assert summary.rows == pytest.approx(240 * 400 / 7, rel=0.01)
    assert rows(database, "select count(*), count(*) filter (where role = 'member') from profiles") == [(243, 240)]
    assert rows(database, "select count(*) from world_truth join profiles on id = member_id") == [(240,)]


def test_between_a_third_and_a_half_churn(database: str) -> None:
    seed_world(database)
    (share,) = rows(database, "select avg(churned::int) from member_snapshots")[0]
    assert 0.33 < share < 0.45


def test_only_past_outcomes_are_known(database: str) -> None:
    seed_world(database, days=60)
    assert rows(database, "select count(*) from member_snapshots where outcome_at > %s", TODAY) == [(0,)]
    unknown = rows(database, "select distinct as_of from member_snapshots where churned is null")
    assert unknown == [(TODAY,)]


def test_a_world_that_is_continued_is_the_one_that_was_never_interrupted(database: str) -> None:
    seed_world(database, until=DRIFT, days=60)
    continue_world(database, until=TODAY, concept_drift_from=DRIFT)
    continued = snapshots_of(database), rows(database, "select * from profiles order by id")
    with psycopg.connect(database) as connection:
        for table in ("member_snapshots", "profiles", "unit_workload", "world_truth", "world"):
            connection.execute(SQL("delete from {}").format(Identifier(table)))
    seed_world(database, days=80, concept_drift_from=DRIFT)
    assert (snapshots_of(database), rows(database, "select * from profiles order by id")) == continued


def test_history_is_never_rewritten(database: str) -> None:
    seed_world(database, days=60)
    with pytest.raises(BadConfiguration, match="past"):
        continue_world(database, until=TODAY, concept_drift_from=DRIFT)
    with pytest.raises(BadConfiguration, match="already seeded"):
        continue_world(database, until=DRIFT)


def test_a_concept_drift_turns_the_role_of_engagement_around(database: str) -> None:
    seed_world(database, concept_drift_from=DRIFT)
    query = "select corr(engagement_score, churned::int) from member_snapshots where as_of {} %s"
    (before,), (since,) = rows(database, query.format("<"), DRIFT)[0], rows(database, query.format(">="), DRIFT)[0]
    assert before < -0.2
    assert since > 0.3


def test_a_covariate_drift_makes_members_younger_and_newer(database: str) -> None:
    seed_world(database, days=120, covariate_drift_from=DRIFT)
    for column in ("member_age", "union_tenure_years"):
        before, since = average(database, column, "<", DRIFT), average(database, column, ">=", DRIFT)
        assert since < 0.85 * before


def test_a_column_loses_values_from_a_date(database: str) -> None:
    seed_world(database, days=120, missing_column="open_cases", missing_from=DRIFT, missing_ratio=0.4)
    query = "select avg((open_cases is null)::int) from member_snapshots where as_of {} %s"
    assert rows(database, query.format("<"), DRIFT) == [(0,)]
    assert float(rows(database, query.format(">="), DRIFT)[0][0]) == pytest.approx(0.4, abs=0.06)


def test_a_new_column_is_filled_back_and_live_with_one_encoding(database: str) -> None:
    seed_world(database, until=DRIFT, days=60)
    continue_world(database, until=TODAY, concept_drift_from=DRIFT)
    before = snapshots_of(database)
    continue_world(database, until=TODAY, new_column="shift_percentage")
    assert [row[:-1] for row in snapshots_of(database)] == before
    for table in ("member_snapshots", "profiles where role = 'member'"):
        facts = "count(*) = count(shift_percentage), min(shift_percentage) >= 0, max(shift_percentage) <= 1"
        assert rows(database, f"select {facts} from {table}") == [(True, True, True)]


def test_the_demos_sql_writes_an_outcome_for_each_prediction(database: str) -> None:
    seed_world(database, days=30)
    with psycopg.connect(database) as connection:
        connection.execute(
            """insert into ml_predictions (model_type, model_version, user_id, prediction)
               select 'churn_risk', 'v1', id, 0.5 from profiles where role = 'member'"""
        )
        written = connection.execute(
            """insert into ml_outcomes select p.id, t.churned::int, now()
               from ml_predictions p join world_truth t on t.member_id = p.user_id
               where not exists (select from ml_outcomes o where o.prediction_id = p.id)"""
        )
        assert written.rowcount == 240


def test_units_have_cases_until_today_and_what_is_known_ahead_after_it(database: str) -> None:
    seed_world(database, days=60, units=5)
    assert rows(database, "select count(*), count(distinct unit_id) from unit_workload") == [((60 + 28) * 5, 5)]
    assert rows(database, "select max(day) from unit_workload where cases is not null") == [
        (TODAY - timedelta(days=1),)
    ]
    ahead = "select count(*) filter (where is_holiday is null or members is null) from unit_workload where day > %s"
    assert rows(database, ahead, TODAY) == [(0,)]


def test_cases_follow_the_week_and_the_holidays(database: str) -> None:
    seed_world(database, days=700, units=6)
    query = "select avg(cases) from unit_workload where extract(isodow from day) = {} and not is_holiday"
    monday, sunday = (float(rows(database, query.format(day))[0][0]) for day in (1, 7))
    assert sunday < 0.5 * monday
    holidays = "select avg(cases) filter (where is_holiday) / avg(cases) from unit_workload"
    assert float(rows(database, holidays)[0][0]) < 0.6


def test_a_concept_drift_moves_cases_to_the_weeks_end(database: str) -> None:
    seed_world(database, days=200, units=6, concept_drift_from=DRIFT)
    query = """select avg(cases) filter (where extract(isodow from day) = 5) /
                      avg(cases) filter (where extract(isodow from day) = 1) from unit_workload where day {} %s"""
    before, since = (float(rows(database, query.format(sign), DRIFT)[0][0]) for sign in ("<", ">="))
    assert before < 0.9
    assert since > 1.4


def test_a_column_of_units_loses_values_from_a_date(database: str) -> None:
    seed_world(database, days=60, units=20, missing_column="members", missing_from=DRIFT, missing_ratio=0.4)
    query = "select avg((members is null)::int), count(distinct is_holiday is null) from unit_workload where day {} %s"
    assert rows(database, query.format("<"), DRIFT) == [(0, 1)]
    assert float(rows(database, query.format(">="), DRIFT)[0][0]) == pytest.approx(0.4, abs=0.06)
    assert rows(
        database, "select count(*) from member_snapshots where member_age is not null and open_cases is null"
    ) == [(0,)]


def test_a_new_column_of_units_is_filled_back_and_tells_of_the_days_ahead(database: str) -> None:
    seed_world(database, until=DRIFT, days=90, units=5)
    cases = "select unit_id, day, cases from unit_workload where day < %s order by 1, 2"
    before = rows(database, cases, DRIFT)
    continue_world(database, until=TODAY, new_workload_column="campaigns")
    assert rows(database, cases, DRIFT) == before
    facts = "select count(*) = count(campaigns), max(day) from unit_workload"
    assert rows(database, facts) == [(True, TODAY + timedelta(days=28))]
    live = rows(database, "select ahead from unit_workload_live limit 1")[0][0]
    assert set(live[str(TODAY)]) == {"members", "is_holiday", "dues_run", "campaigns"}
    told = """select corr(campaigns, cases / members::float8) from unit_workload
              where extract(isodow from day) = 3 and not is_holiday"""
    assert rows(database, told)[0][0] > 0.2


def test_the_live_view_has_each_units_past_and_what_is_ahead(database: str) -> None:
    seed_world(database, days=60, units=5)
    query = "select unit_id, origin, history, ahead from unit_workload_live order by unit_id"
    unit, origin, history, ahead = rows(database, query)[0]
    assert (unit, origin, len(history)) == ("unit-01", TODAY - timedelta(days=1), 420)
    assert history[:-59] == [None] * (420 - 59)
    assert set(ahead[str(TODAY)]) == {"members", "is_holiday", "dues_run"}

"""Bad data is refused by name, with the count and the limit; doubtful data is trained on with a warning."""

from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.requests import asked, request_document
from tests.worlds import TODAY, seed_world
from trainer.database import connect
from trainer.dataset.preparation import Prepared, prepare
from trainer.errors import DataRejected
from trainer.outcome import Check
from trainer.quality.checks import require_good_data, run_checks, warnings_of


@pytest.fixture
def world(database: str) -> str:
    """The URL of a database with 150 days of the platform."""
    seed_world(database, days=150)
    return database


def execute(url: str, statement: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement.encode())


def checks_of(url: str, **quality: Any) -> list[Check]:
    request, _ = asked(request_document(Path("unused"), "v1", dataQuality=quality), url)
    with connect(url) as connection:
        return run_checks(connection, request)


def prepared(url: str, **data: Any) -> Prepared:
    request, _ = asked(request_document(Path("unused"), "v1", data=data), url)
    with connect(url) as connection:
        return prepare(connection, request, {})


def rejection_of(url: str, **quality: Any) -> DataRejected:
    with pytest.raises(DataRejected) as rejection:
        require_good_data(checks_of(url, **quality))
    return rejection.value


def test_a_sound_platform_passes_every_check(world: str) -> None:
    checks = checks_of(world)
    require_good_data(checks)
    assert {check.name for check in checks} == {"row_count_check", "history_check", "completeness_check"}
    assert all(check.passed for check in checks)


def test_too_few_members_are_refused_with_the_count_and_the_limit(world: str) -> None:
    execute(world, "delete from profiles where id > 'member-0084' and role = 'member'")
    rejection = rejection_of(world)
    assert (rejection.reason, rejection.message) == ("InsufficientRows", "84 members, at least 100 are needed")


def test_staff_do_not_count_as_members(world: str) -> None:
    execute(world, "update profiles set role = 'staff' where id > 'member-0099'")
    assert rejection_of(world).message == "99 members, at least 100 are needed"


def test_too_short_a_history_is_refused(world: str) -> None:
    execute(world, f"delete from member_snapshots where as_of <= '{TODAY}'::date - 60")
    rejection = rejection_of(world)
    assert rejection.reason == "InsufficientHistory"
    assert rejection.message.startswith("59 days")


def test_missing_values_warn_and_reject_only_if_asked(world: str) -> None:
    execute(world, "update member_snapshots set member_age = null where member_id < 'member-0060'")
    warnings = warnings_of(checks_of(world))
    assert len(warnings) == 1
    assert warnings[0].startswith("completeness_check: 26.")
    assert "member_age missing, at most 10.0% may be" in warnings[0]
    assert rejection_of(world, maxMissing={"ratio": 0.1, "action": "Reject"}).reason == "MissingValues"
    assert not warnings_of(checks_of(world, maxMissing={"ratio": 0.5, "action": "Warn"}))


def test_outliers_are_counted_beyond_their_bounds(world: str) -> None:
    execute(world, f"update member_snapshots set union_tenure_years = 51 where as_of = '{TODAY}'::date - 3")
    rule = {"column": "union_tenure_years", "max": 50}
    assert warnings_of(checks_of(world, outliers=[rule])) == ["outlier_check: 34 rows with union_tenure_years above 50"]
    assert rejection_of(world, outliers=[rule | {"action": "Reject"}]).reason == "Outliers"
    low = {"column": "union_tenure_years", "min": -1, "max": 60}
    assert not warnings_of(checks_of(world, outliers=[low]))


def test_an_outlier_rule_for_a_column_that_is_gone_says_so(world: str) -> None:
    (warning,) = warnings_of(checks_of(world, outliers=[{"column": "gone", "max": 1}]))
    assert warning.startswith("missing_column_check: the column gone")


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("alter table member_snapshots drop column churned", "MissingColumn"),
        ("drop table member_snapshots", "TableMissing"),
        ("delete from member_snapshots", "InsufficientRows"),
        ("update member_snapshots set churned = null", "InsufficientRows"),
    ],
)
def test_a_table_that_cannot_be_learnt_from_is_refused(world: str, statement: str, reason: str) -> None:
    execute(world, statement)
    assert rejection_of(world).reason == reason


def test_one_outcome_only_is_refused(world: str) -> None:
    execute(world, "update member_snapshots set churned = false where churned")
    with pytest.raises(DataRejected) as rejection:
        prepared(world)
    assert rejection.value.reason == "SingleOutcome"


PLANTED_LEAKS = {
    "dated after the row's day": (
        "alter table member_snapshots add survey double precision, add survey_at timestamptz; "
        "update member_snapshots set survey = length(member_id) + open_cases, "
        "survey_at = as_of + case when member_id = 'member-0001' then interval '2 days' else interval '9 hours' end"
    ),
    "a copy of the outcome": (
        "alter table member_snapshots add exit_form boolean; update member_snapshots set exit_form = churned"
    ),
    "filled in for those who left": (
        "alter table member_snapshots add exit_score integer; "
        "update member_snapshots set exit_score = length(member_id) where churned"
    ),
    "a text that tells": (
        "alter table member_snapshots add state text; "
        "update member_snapshots set state = case when churned then 'lapsed' else 'paid' end where churned is not null"
    ),
    "a number that follows from it": (
        "alter table member_snapshots add refund double precision; "
        "update member_snapshots set refund = churned::int * 10 + open_cases / 100.0"
    ),
    "known only afterwards": (
        "alter table member_snapshots add days_to_outcome integer; "
        "update member_snapshots set days_to_outcome = outcome_at - as_of + open_cases"
    ),
}


@pytest.mark.parametrize("leak", PLANTED_LEAKS.values(), ids=PLANTED_LEAKS.keys())
def test_a_planted_leak_is_found_and_can_be_denied(world: str, leak: str) -> None:
    execute(world, leak)
    with pytest.raises(DataRejected) as rejection:
        prepared(world)
    assert rejection.value.reason == "LabelLeak"
    column = rejection.value.message.split()[0]
    assert column not in {feature.name for feature in prepared(world, features={"deny": [column]}).features}


def test_a_feature_that_is_dated_on_its_own_day_is_used(world: str) -> None:
    execute(
        world,
        """alter table member_snapshots add survey double precision, add survey_at timestamptz;
           update member_snapshots set survey = 1.5 * open_cases + late_dues, survey_at = as_of + interval '9 hours'""",
    )
    assert "survey" in {feature.name for feature in prepared(world).features}


def test_dates_and_the_outcome_are_never_features(world: str) -> None:
    execute(world, "alter table member_snapshots add left_on date, add seen timestamptz default now(), add form jsonb")
    names = {feature.name for feature in prepared(world).features}
    assert names.isdisjoint({"member_id", "as_of", "churned", "outcome_at", "left_on", "seen", "form"})


def test_a_new_column_of_each_kind_becomes_a_feature(world: str) -> None:
    execute(
        world,
        """alter table member_snapshots add shift double precision, add nights boolean, add branch text;
           update member_snapshots set shift = open_cases / 7.0, nights = open_cases > 1, branch = 'b' || late_dues""",
    )
    kinds = {feature.name: feature.kind.value for feature in prepared(world).features}
    assert [kinds["shift"], kinds["nights"], kinds["branch"]] == ["numeric", "boolean", "categorical"]
    allowed = prepared(world, features={"allow": ["*_score", "shift"], "deny": ["engagement_*"]}).features
    assert [feature.name for feature in allowed] == ["shift"]


def test_a_column_that_teaches_nothing_is_left_out_with_a_warning(world: str) -> None:
    execute(
        world,
        """alter table member_snapshots add empty double precision, add fixed text default 'x', add note text;
           update member_snapshots set note = member_id""",
    )
    found = prepared(world)
    assert {feature.name for feature in found.features}.isdisjoint({"empty", "fixed", "note"})
    assert [warning.split()[0] for warning in found.warnings] == ["empty", "fixed", "note"]

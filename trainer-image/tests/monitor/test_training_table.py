"""The training table against what the champion was trained on."""

import asyncio

import psycopg
import pytest

from tests.monitor.builders import NAMESPACE, policy, register_version
from trainer.daemon.postgres import Database
from trainer.monitor.objects import read_policy
from trainer.monitor.training_table import ColumnChange, TrainingTable, TrainingTables, accepts, column_changes

THEN = {"member_id": "text", "as_of": "date", "member_age": "double precision", "contract_type": "text"}


@pytest.mark.parametrize(
    ("now", "changes"),
    [
        (THEN, {}),
        ({**THEN, "shift_percentage": "double precision"}, {"shift_percentage": "added"}),
        ({**THEN, "seen_at": "timestamp with time zone"}, {}),
        ({**THEN, "secret_score": "real"}, {}),
        ({**THEN, "member_age": "text"}, {"member_age": "retyped"}),
        ({k: v for k, v in THEN.items() if k != "member_age"}, {"member_age": "missing"}),
    ],
    ids=["same", "new feature", "no feature's type", "denied", "retyped", "missing"],
)
def test_columns_that_differ_are_named_with_what_changed(now: dict[str, str], changes: dict[str, str]) -> None:
    assert column_changes(THEN, now, ("*",), ("secret_*",)) == changes


@pytest.mark.parametrize(
    ("now", "accepted"),
    [
        (THEN, True),
        ({**THEN, "shift_percentage": "double precision"}, True),
        ({**THEN, "member_age": "integer"}, True),
        ({**THEN, "member_age": "text"}, False),
        ({k: v for k, v in THEN.items() if k != "contract_type"}, False),
        ({k: v for k, v in THEN.items() if k != "as_of"}, True),
    ],
    ids=["same", "new feature", "other width", "other kind", "feature gone", "other column gone"],
)
def test_a_champion_accepts_what_has_its_features(now: dict[str, str], accepted: bool) -> None:
    features = {"member_age": "numeric", "contract_type": "categorical", "derived_from_others": "numeric"}
    assert accepts({"columns": THEN, "features": features}, now) is accepted


def test_the_table_is_measured_against_the_champions_schema(database: str) -> None:
    with psycopg.connect(database) as connection:
        columns: dict[str, str] = dict(
            connection.execute(
                "select column_name, data_type from information_schema.columns where table_name = 'member_snapshots'"
            ).fetchall()
        )
        connection.execute(
            "insert into member_snapshots (member_id, as_of) select i::text, now() from generate_series(1, 7) i"
        )
        connection.execute('alter table member_snapshots add column "Shift %" double precision')
    register_version(database, "v1", is_active=True, feature_schema=_schema("member_snapshots", columns))
    [table] = _measured(database)
    assert table == TrainingTable("churn_risk", 7, "v1", {"Shift %": ColumnChange.ADDED}, accepted=True)
    with psycopg.connect(database) as connection:
        connection.execute("alter table member_snapshots drop column member_age")
    assert _measured(database)[0].accepted is False


def test_without_a_champion_there_are_rows_and_no_changes(database: str) -> None:
    assert _measured(database) == [TrainingTable("churn_risk", 0, None, {})]


def test_a_table_that_is_not_there_is_no_evidence(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("drop table member_snapshots")
    assert _measured(database) == []


def test_a_tables_name_is_never_run_as_sql(database: str) -> None:
    name = 'x"; drop table profiles; --'
    with psycopg.connect(database) as connection:
        connection.execute(psycopg.sql.SQL("create table {} (a integer)").format(psycopg.sql.Identifier(name)))
    register_version(database, "v1", is_active=True, feature_schema=_schema(name, {"a": "integer"}))
    assert _measured(database) == [TrainingTable("churn_risk", 0, "v1", {}, accepted=True)]
    with psycopg.connect(database) as connection:
        connection.execute("select from profiles")


def _schema(table: str, columns: dict[str, str]) -> dict[str, object]:
    return {"table": table, "columns": columns, "features": {"member_age": "numeric"}}


def _measured(url: str) -> list[TrainingTable]:
    async def measured() -> list[TrainingTable]:
        async with await Database(url, "test").connect() as connection:
            return await TrainingTables().measure(connection, NAMESPACE, [read_policy(policy("v1"))])

    return asyncio.run(measured())

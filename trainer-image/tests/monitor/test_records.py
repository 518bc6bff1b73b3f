"""The tables after a projection, with a real Postgres."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import psycopg
import pytest

from tests.monitor.builders import NAMESPACE, NOON, at, policy, register_version, result, run
from trainer.daemon.postgres import Database
from trainer.monitor.objects import Document, read_policy, read_run
from trainer.monitor.records import project

V1 = run(1, "v1", result=result("v1"), promotedAt=at(1), outcome="Succeeded", completedAt=at(9), reason="WatchPassed")
V2 = run(2, "v2", result=result("v2", 0.7), promotedAt=at(20))


def test_the_guides_query_finds_the_champion(database: str) -> None:
    _project(database, [policy("v1")], [V1])
    assert _rows(database, "select version, accuracy, is_active, run, digest from model_metadata") == [
        ("v1", 0.84, True, "churn-risk-1", "sha256:v1")
    ]


def test_a_flip_leaves_exactly_one_active_version(database: str) -> None:
    _project(database, [policy("v1")], [V1])
    _project(database, [policy("v2")], [V1, V2])
    assert _active(database) == ["v2"]
    _project(database, [policy("v1")], [V1, V2])
    assert _active(database) == ["v1"]


def test_what_the_trainer_wrote_of_a_version_stays(database: str) -> None:
    register_version(database, "v1", feature_schema={"table": "member_snapshots", "columns": {}})
    _project(database, [policy("v1")], [V1])
    [(schema, accuracy)] = _rows(database, "select feature_schema, accuracy from model_metadata")
    assert (schema, accuracy) == ({"table": "member_snapshots", "columns": {}}, 0.84)
    _project(database, [policy("v1")], [run(1, "v1", result=result("v1", 0.1), promotedAt=at(1))])
    assert _rows(database, "select accuracy from model_metadata") == [(0.84,)]


def test_the_ledger_has_each_event_once_and_in_order(database: str) -> None:
    for _ in range(3):
        _project(database, [policy("v1")], [V1])
    _project(database, [policy("v2")], [V1, V2])
    ended = {**V2, "status": {**V2["status"], "outcome": "RolledBack", "reason": "AccuracyFell", "completedAt": at(30)}}
    _project(database, [policy("v1")], [V1, ended])
    assert _rows(database, "select version, event, reason, run from model_ledger order by id") == [
        ("v1", "Promoted", "accuracy-drop", "churn-risk-1"),
        ("v1", "Succeeded", "WatchPassed", "churn-risk-1"),
        ("v2", "Promoted", "accuracy-drop", "churn-risk-2"),
        ("v2", "RolledBack", "AccuracyFell", "churn-risk-2"),
        ("v1", "Returned", "AccuracyFell", "churn-risk-2"),
    ]


def test_who_was_champion_from_when_to_when_and_why(database: str) -> None:
    ended = {**V2, "status": {**V2["status"], "outcome": "RolledBack", "reason": "AccuracyFell", "completedAt": at(30)}}
    _project(database, [policy("v1")], [V1, ended])
    minutes = [(1, 20), (20, 30), (30, None)]
    spans = [(NOON + timedelta(minutes=m), None if n is None else NOON + timedelta(minutes=n)) for m, n in minutes]
    found = _rows(database, "select since, until, version, event, reason from model_champions order by since")
    assert [row[:2] for row in found] == spans
    assert [row[2:] for row in found] == [
        ("v1", "Promoted", "accuracy-drop"),
        ("v2", "Promoted", "accuracy-drop"),
        ("v1", "Returned", "AccuracyFell"),
    ]


def test_a_prediction_is_of_an_ab_test_while_two_versions_had_weight(database: str) -> None:
    timeline = [{"at": at(10 + n), "phase": "Canary", "reason": f"Step{n}"} for n in (1, 2)]
    frozen = {"rollout": {"stepWeights": [10, 50]}}
    canary = {**V2, "status": {**V2["status"], "timeline": timeline, "frozen": frozen}}
    _project(database, [policy("v2", since=at(20))], [V1, canary])
    made = {"v1": (5, 10.5, 11, 12.5, 19, 21), "v2": (11, 15, 19, 20.5, 40), "elsewhere": (15,)}
    with psycopg.connect(database) as connection:
        connection.cursor().executemany(
            """insert into ml_predictions (model_type, model_version, predicted_at, prediction)
               values ('churn_risk', %s, %s, 0.5)""",
            [(version, NOON + timedelta(minutes=m)) for version, minutes in made.items() for m in minutes],
        )
    [(total, of_test)] = _rows(database, "select count(*), count(*) filter (where is_ab_test) from ml_predictions_ab")
    assert (total, of_test) == (12, 6)
    rows = _rows(database, "select model_version, predicted_at from ml_predictions_ab where is_ab_test")
    minutes = {(version, (when - NOON).total_seconds() / 60) for version, when in rows}
    assert minutes == {("v1", 11), ("v1", 12.5), ("v1", 19), ("v2", 11), ("v2", 15), ("v2", 19)}


def test_two_monitors_at_once_write_an_entry_once(database: str) -> None:
    async def both() -> None:
        await asyncio.gather(*(_projected(database, [policy("v2")], [V1, V2]) for _ in range(8)))

    asyncio.run(both())
    assert len(_rows(database, "select * from model_ledger")) == 3
    assert _active(database) == ["v2"]


def test_namespaces_do_not_touch_each_other(database: str) -> None:
    _project(database, [policy("v1")], [V1])
    _project(database, [policy("v2")], [V2], namespace="another")
    assert _active(database) == ["v1"]
    assert len(_rows(database, "select * from model_metadata where namespace = 'another' and is_active")) == 1


def test_a_round_is_written_whole_or_not_at_all(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter table model_ledger add constraint no_v2 check (version <> 'v2')")
    _project(database, [policy("v1")], [V1])
    with pytest.raises(psycopg.errors.CheckViolation):
        _project(database, [policy("v2")], [V1, V2])
    assert _active(database) == ["v1"]


def _project(url: str, policies: Sequence[Document], runs: Sequence[Document], namespace: str = NAMESPACE) -> None:
    asyncio.run(_projected(url, policies, runs, namespace))


async def _projected(
    url: str, policies: Sequence[Document], runs: Sequence[Document], namespace: str = NAMESPACE
) -> None:
    async with await Database(url, "test").connect() as connection:
        await project(connection, namespace, [read_policy(p) for p in policies], [read_run(r) for r in runs])


def _active(url: str) -> list[str]:
    query = "select version from model_metadata where is_active and namespace = 'members'"
    return [version for (version,) in _rows(url, query)]


def _rows(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()

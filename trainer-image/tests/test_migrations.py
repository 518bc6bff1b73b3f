"""The schema is brought up to date once, whoever asks and however often."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg.sql import SQL, Identifier

from trainer.database import column_types, connect
from trainer.migrations import migrate, pending_revisions, versions

REVISIONS = sorted(path.name[1:5] for path in Path(versions.__path__[0]).glob("v[0-9]*.py"))
CONTRACT = {
    "profiles": {"id", "role", "union_tenure_years", "member_age"},
    "member_snapshots": {"member_id", "as_of", "churned", "outcome_at"},
    "unit_workload": {"unit_id", "day", "cases", "outcome_at"},
    "unit_workload_weeks": {"unit_id", "week", "cases", "outcome_at"},
    "ml_predictions": {
        *("id", "model_type", "model_version", "user_id", "predicted_at", "prediction", "predicted_label"),
        *("confidence_score", "response_time_ms", "features", "interval_low", "interval_high"),
    },
    "ml_outcomes": {"prediction_id", "actual", "observed_at"},
    "model_metadata": {
        *("namespace", "model_type", "version", "accuracy", "trained_at", "is_active", "metrics", "run", "digest"),
        *("feature_schema", "reference"),
    },
    "model_ledger": {"id", "namespace", "model_type", "version", "event", "reason", "message", "run", "at"},
}


@pytest.mark.parametrize(("table", "columns"), CONTRACT.items(), ids=CONTRACT.keys())
def test_the_tables_are_those_of_the_metrics_contract(database: str, table: str, columns: set[str]) -> None:
    with connect(database) as connection:
        assert columns <= set(column_types(connection, table))


def test_migrating_twice_changes_nothing(empty_database: str) -> None:
    assert pending_revisions(empty_database) == migrate(empty_database) == REVISIONS
    assert pending_revisions(empty_database) == migrate(empty_database) == []


def test_of_several_pods_at_once_one_migrates(empty_database: str) -> None:
    with ThreadPoolExecutor(4) as pods:
        applied = list(pods.map(migrate, [empty_database] * 4))
    assert sorted(applied) == [[], [], [], REVISIONS]


def test_servers_go_on_logging_while_two_pods_want_the_larger_index(empty_database: str) -> None:
    assert migrate(empty_database, "0003") == REVISIONS[:3]
    waits = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%index concurrently%'"
    log = "insert into ml_predictions (model_type, model_version, prediction) values ('churn_risk', 'v1', 0.5)"
    with psycopg.connect(empty_database) as older, ThreadPoolExecutor(2) as pods:
        # The index is not built before this transaction ends.
        older.execute(log)
        migrations = [pods.submit(migrate, empty_database) for _ in range(2)]
        with psycopg.connect(empty_database, autocommit=True) as server:
            while server.execute(waits).fetchone() != (1,):
                assert not any(migration.done() for migration in migrations)
            server.execute("set lock_timeout = '1s'")
            server.execute(log)
        older.commit()
        applied = [migration.result(timeout=30) for migration in migrations]
    assert sorted(applied) == [[], REVISIONS[3:]]
    assert _indexed(empty_database) == 2


@pytest.mark.parametrize("left", ["ml_predictions_recent_new", "ml_predictions_recent"])
def test_a_migration_that_was_killed_beside_its_index_is_taken_up(empty_database: str, left: str) -> None:
    migrate(empty_database, "0003")
    with psycopg.connect(empty_database) as connection:
        connection.execute("drop index ml_predictions_recent")
        index = SQL("create index {} on ml_predictions (model_type, predicted_at) include (response_time_ms)")
        connection.execute(index.format(Identifier(left)))
    assert migrate(empty_database) == REVISIONS[3:]
    assert _indexed(empty_database) == 0


def _indexed(url: str) -> int:
    """Return how many predictions there are, of the one valid index that carries what is summed."""
    with psycopg.connect(url) as connection:
        indexes = connection.execute(
            """select pg_get_indexdef(indexrelid) from pg_index
               where indrelid = 'ml_predictions'::regclass and indisvalid
                 and indexrelid::regclass::text like '%recent%'"""
        ).fetchall()
        [(definition,)] = indexes
        assert "ml_predictions_recent ON" in definition
        assert "INCLUDE (model_version, user_id, confidence_score, response_time_ms, predicted_label)" in definition
        [(count,)] = connection.execute("select count(*) from ml_predictions").fetchall()
    return int(count)


def test_a_role_that_owns_only_its_tables_is_enough(empty_database: str) -> None:
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("drop role if exists tenant")
        connection.execute("create role tenant login nosuperuser nocreatedb nocreaterole")
        connection.execute("create schema tenant authorization tenant")
        database = SQL("revoke all on database {} from public").format(Identifier(empty_database.rsplit("/", 1)[1]))
        connection.execute(database)
        connection.execute(
            SQL("grant connect on database {} to tenant").format(Identifier(empty_database.rsplit("/", 1)[1]))
        )
    url = empty_database.replace("test@", "tenant@")
    assert migrate(url) == REVISIONS
    assert migrate(url) == []
    with psycopg.connect(url) as connection:
        owners = connection.execute("select distinct schemaname, tableowner from pg_tables where tablename like 'm%_%'")
        assert ("tenant", "tenant") in owners.fetchall()


def test_one_version_of_a_model_is_active(database: str) -> None:
    insert = (
        "insert into model_metadata (namespace, model_type, version, is_active) values ('n', 'churn_risk', %s, true)"
    )
    with psycopg.connect(database) as connection:
        connection.execute(insert, ("v1",))
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute(insert, ("v2",))


@pytest.mark.parametrize("statement", ["update model_ledger set event = 'x'", "delete from model_ledger"])
def test_the_ledger_cannot_be_rewritten(database: str, statement: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            """insert into model_ledger (namespace, model_type, version, event)
               values ('n', 'churn_risk', 'v1', 'Promoted')"""
        )
        with pytest.raises(psycopg.errors.RaiseException, match="append-only"):
            connection.execute(statement)


def test_the_guides_query_of_recent_predictions_uses_an_index(database: str) -> None:
    with psycopg.connect(database) as connection:
        connection.execute(
            """insert into ml_predictions (model_type, model_version, predicted_at, prediction, confidence_score)
               select 'churn_risk', 'v1', now() - n * interval '1 minute', 0.5, 0.8 from generate_series(1, 40000) n"""
        )
        connection.execute("analyze ml_predictions")
        plan = connection.execute(
            """explain select avg(confidence_score) from ml_predictions
               where model_type = 'churn_risk' and predicted_at > now() - interval '1 day'"""
        )
        assert "ml_predictions_recent" in "\n".join(line for (line,) in plan)

"""What has become of the training table since the champion was trained on it."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from psycopg import sql

from trainer.daemon.postgres import Connection
from trainer.models import find_model
from trainer.models.base import feature_kind, is_wanted
from trainer.monitor.objects import Policy

# Counting the rows scans the table, so it is done once a minute whatever the interval is.
COUNTED_EVERY_SECONDS = 60.0


class ColumnChange(StrEnum):
    """How a column differs from the one the champion was trained on."""

    ADDED = "added"
    MISSING = "missing"
    RETYPED = "retyped"


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """The rows of a model type's training table, and how it differs from what the champion was trained on.

    `champion` is None without one whose schema is known; `accepted` says whether that one can still predict from the
    table's rows, and is None with it.
    """

    model_type: str
    rows: int
    champion: str | None
    changes: Mapping[str, ColumnChange]
    accepted: bool | None = None


def column_changes(
    then: Mapping[str, str], now: Mapping[str, str], allow: tuple[str, ...], deny: tuple[str, ...]
) -> dict[str, ColumnChange]:
    """Return the columns that differ, from their types then and now, of those that the policy lets be features.

    A new column of a type that no feature can have, such as a date, is no change: no training would use it.
    """
    changes = {}
    for column in sorted(then.keys() | now.keys()):
        if not is_wanted(column, allow, deny):
            continue
        if column not in now:
            changes[column] = ColumnChange.MISSING
        elif column not in then:
            if feature_kind(now[column]) is not None:
                changes[column] = ColumnChange.ADDED
        elif then[column] != now[column]:
            changes[column] = ColumnChange.RETYPED
    return changes


def accepts(schema: Mapping[str, Any], now: Mapping[str, str]) -> bool:
    """Return whether each feature that was a column still is one of its kind: what the gate asks of a champion.

    A column that is new, or that the champion does not look at, is no obstacle. A feature that was none is derived from
    others.
    """
    needed = {name: kind for name, kind in schema.get("features", {}).items() if name in schema["columns"]}
    return all(name in now and feature_kind(now[name]) == kind for name, kind in needed.items())


class TrainingTables:
    """The training tables of all policies, as they are now."""

    def __init__(self) -> None:
        self._counted: dict[str, tuple[float, int]] = {}

    async def measure(self, connection: Connection, namespace: str, policies: Iterable[Policy]) -> list[TrainingTable]:
        """Return the table of each policy whose model type has one."""
        schemas = await _champion_schemas(connection, namespace)
        tables = []
        for policy in policies:
            champion, schema = schemas.get(policy.model_type, (None, None))
            definition = find_model(policy.model_type)
            name = schema["table"] if schema else definition.table if definition else ""
            columns = await _columns(connection, name)
            if not columns:
                continue
            rows = await self._rows(connection, name)
            if schema is None:
                tables.append(TrainingTable(policy.model_type, rows, None, {}))
                continue
            changes = column_changes(schema["columns"], columns, policy.allow, policy.deny)
            accepted = accepts(schema, columns)
            tables.append(TrainingTable(policy.model_type, rows, champion, changes, accepted))
        return tables

    async def _rows(self, connection: Connection, table: str) -> int:
        counted_at, rows = self._counted.get(table, (float("-inf"), 0))
        if time.monotonic() - counted_at >= COUNTED_EVERY_SECONDS:
            query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
            [(rows,)] = await (await connection.execute(query)).fetchall()
            self._counted[table] = (time.monotonic(), rows)
        return rows


async def _champion_schemas(connection: Connection, namespace: str) -> dict[str, tuple[str, dict[str, Any] | None]]:
    """Return each model type's champion and its schema: the table, and the type of each column it had."""
    query = "SELECT model_type, version, feature_schema FROM model_metadata WHERE namespace = %s AND is_active"
    rows = await (await connection.execute(query, (namespace,))).fetchall()
    return {model_type: (version, schema) for model_type, version, schema in rows}


async def _columns(connection: Connection, table: str) -> dict[str, str]:
    query = """
        SELECT column_name, data_type FROM information_schema.columns
        WHERE table_name = %s AND table_schema = ANY(current_schemas(false))
    """
    return dict(await (await connection.execute(query, (table,))).fetchall())

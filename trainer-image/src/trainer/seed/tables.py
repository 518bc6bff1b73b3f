"""Writes a world to the platform's tables, in one transaction, by COPY."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier
from psycopg.types.json import Jsonb

from trainer.database import column_types
from trainer.errors import BadConfiguration
from trainer.seed.parameters import NUMERIC_COLUMNS, Parameters
from trainer.seed.workload import unit_days
from trainer.seed.world import Snapshot, snapshots

_OUTCOME_DELAY = timedelta(days=1)
_STAFF = 3
_INTEGER_COLUMNS = frozenset({"meetings_attended", "open_cases", "late_dues"})
_LOCK = int.from_bytes(b"seed", "big")


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What is in the tables now; `labelled` rows are those whose outcome is known by the world's last day."""

    parameters: Parameters
    rows: int
    labelled: int
    rows_before_drift: int
    rows_since_drift: int
    churned_now: float


def stored_parameters(connection: Connection) -> Parameters | None:
    """Return the parameters of the world in this database, or None if it has none."""
    if not column_types(connection, "world"):
        return None
    row = connection.execute("select parameters from world").fetchone()
    return None if row is None else Parameters.from_dict(row[0])


def write_world(connection: Connection, parameters: Parameters, before: Parameters | None) -> Summary:
    """Write the world, or what has been added since `before`, and return what is in the tables now.

    Rows of days before `before.until` stay as they are, but for a column that is new.
    """
    if not column_types(connection, "unit_workload"):
        raise BadConfiguration("the database has no schema yet: run `trainer migrate` first")
    connection.execute("select pg_advisory_xact_lock(%s)", (_LOCK,))
    _create_tables(connection, parameters)
    *past, present = list(snapshots(parameters))
    adds_column = before is not None and before.new_column != parameters.new_column
    first_day = parameters.start if before is None or adds_column else before.until
    _write_snapshots(connection, parameters, [snapshot for snapshot in past if snapshot.day >= first_day], before)
    _write_present(connection, parameters, present)
    adds_factor = before is not None and before.new_workload_column != parameters.new_workload_column
    _write_workload(connection, parameters, parameters.start if before is None or adds_factor else before.until)
    connection.execute("delete from world")
    connection.execute("insert into world (parameters) values (%s)", (Jsonb(parameters.to_dict()),))
    return _summary(connection, parameters, present)


def delete_world(connection: Connection) -> None:
    """Empty the tables of the world; predictions and outcomes, models and the ledger stay."""
    connection.execute("delete from member_snapshots")
    connection.execute("delete from profiles")
    connection.execute("delete from unit_workload")
    for table in ("world", "world_truth"):
        connection.execute(SQL("drop table if exists {}").format(Identifier(table)))


def _create_tables(connection: Connection, parameters: Parameters) -> None:
    connection.execute(
        """create table if not exists world (
             is_the_only boolean primary key default true check (is_the_only), parameters jsonb not null)"""
    )
    connection.execute("create table if not exists world_truth (member_id text primary key, churned boolean not null)")
    factors = {
        "member_snapshots": parameters.new_column,
        "profiles": parameters.new_column,
        "unit_workload": parameters.new_workload_column,
    }
    for table, column in factors.items():
        if column is not None:
            statement = SQL("alter table {} add column if not exists {} double precision")
            connection.execute(statement.format(Identifier(table), Identifier(column)))


def _write_snapshots(
    connection: Connection, parameters: Parameters, past: Iterable[Snapshot], before: Parameters | None
) -> None:
    columns = ("member_id", "as_of", *parameters.columns, "churned", "outcome_at")
    updated = ["churned", "outcome_at"]
    if parameters.new_column is not None and (before is None or before.new_column is None):
        updated.append(parameters.new_column)
    rows = (row for snapshot in past for row in _snapshot_rows(snapshot, parameters))
    _upsert(connection, "member_snapshots", columns, rows, key=("member_id", "as_of"), updated=updated)


def _snapshot_rows(snapshot: Snapshot, parameters: Parameters) -> Iterator[tuple[Any, ...]]:
    outcome_at: date = snapshot.day + _OUTCOME_DELAY
    is_known = outcome_at <= parameters.until
    for values, member, lapses in zip(
        _feature_rows(snapshot.features), snapshot.members, snapshot.lapses.tolist(), strict=True
    ):
        outcome = (lapses, outcome_at) if is_known else (None, None)
        yield (_member_id(int(member)), snapshot.day, *values, *outcome)


def _write_present(connection: Connection, parameters: Parameters, present: Snapshot) -> None:
    ids = [_member_id(int(member)) for member in present.members]
    members = [(name, "member", *values) for name, values in zip(ids, _feature_rows(present.features), strict=True)]
    staff = [(f"staff-{i + 1}", "staff", *[None] * len(parameters.columns)) for i in range(_STAFF)]
    columns = ("id", "role", *parameters.columns)
    _upsert(connection, "profiles", columns, members + staff, key=("id",), updated=parameters.columns)
    truth = list(zip(ids, present.lapses.tolist(), strict=True))
    _upsert(connection, "world_truth", ("member_id", "churned"), truth, key=("member_id",), updated=("churned",))


def _write_workload(connection: Connection, parameters: Parameters, first_day: date) -> None:
    columns = ("unit_id", "day", *parameters.workload_columns, "cases", "outcome_at")
    days = (day for day in unit_days(parameters) if day.day >= first_day)
    rows = (
        (
            f"unit-{unit + 1:02d}",
            day.day,
            *known,
            *((cases, day.day + _OUTCOME_DELAY) if day.day + _OUTCOME_DELAY <= parameters.until else (None, None)),
        )
        for day in days
        for unit, (*known, cases) in enumerate(
            zip(*(day.known_ahead[name] for name in parameters.workload_columns), day.cases.tolist(), strict=True)
        )
    )
    _upsert(connection, "unit_workload", columns, rows, key=("unit_id", "day"), updated=columns[2:])


def _upsert(
    connection: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[Any]],
    *,
    key: Sequence[str],
    updated: Sequence[str],
) -> None:
    staging = f"seed_{table}"
    names = SQL(", ").join(map(Identifier, columns))
    connection.execute(
        SQL("create temporary table {} on commit drop as select {} from {} limit 0").format(
            Identifier(staging), names, Identifier(table)
        )
    )
    with connection.cursor().copy(SQL("copy {} ({}) from stdin").format(Identifier(staging), names)) as copy:
        for row in rows:
            copy.write_row(row)
    connection.execute(
        SQL(
            "insert into {table} ({names}) select {names} from {staging} on conflict ({key}) do update set {set}"
        ).format(
            table=Identifier(table),
            names=names,
            staging=Identifier(staging),
            key=SQL(", ").join(map(Identifier, key)),
            set=SQL(", ").join(map(_from_excluded, updated)),
        )
    )


def _from_excluded(column: str) -> Composed:
    return SQL("{0} = excluded.{0}").format(Identifier(column))


def _feature_rows(features: Mapping[str, np.ndarray[Any, Any]]) -> Iterator[tuple[Any, ...]]:
    return zip(*(_plain(name, values) for name, values in features.items()), strict=True)


def _plain(name: str, values: np.ndarray[Any, Any]) -> list[Any]:
    """Return Python values for the column: None for a missing one, whole numbers where the table has them."""
    if name not in NUMERIC_COLUMNS:
        return [None if value is None else value for value in values.tolist()]
    whole = name in _INTEGER_COLUMNS
    numbers = np.asarray(values, dtype=np.float64).tolist()
    return [None if number != number else int(number) if whole else number for number in numbers]  # noqa: PLR0124 - NaN


def _member_id(member: int) -> str:
    return f"member-{member + 1:04d}"


def _summary(connection: Connection, parameters: Parameters, present: Snapshot) -> Summary:
    row = connection.execute(
        """select count(*), count(churned),
                  count(*) filter (where %(drift)s::date is null or as_of < %(drift)s::date),
                  count(*) filter (where as_of >= %(drift)s::date)
           from member_snapshots""",
        {"drift": parameters.concept_drift_from},
    ).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return Summary(
        parameters=parameters,
        rows=row[0],
        labelled=row[1],
        rows_before_drift=row[2],
        rows_since_drift=row[3],
        churned_now=round(float(present.lapses.mean()), 4),
    )

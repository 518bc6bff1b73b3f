"""Connections to the platform's Postgres, and what its catalogue says of a table."""

from typing import Any

import psycopg
from psycopg import Connection

from trainer.errors import BadConfiguration

_CONNECT_TIMEOUT_S = 10
# Long enough for the largest scan of a training; short enough that a lock held elsewhere ends the pod with a reason.
_STATEMENT_TIMEOUT = "5min"
_LOCK_TIMEOUT = "30s"


def connect(url: str, *, statement_timeout: str = _STATEMENT_TIMEOUT, **options: Any) -> Connection:
    """Return an open connection with time limits; BadConfiguration for an unreadable URL, OperationalError else."""
    limits = f"-c statement_timeout={statement_timeout} -c lock_timeout={_LOCK_TIMEOUT}"
    try:
        parameters = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise BadConfiguration("DATABASE_URL is not a libpq connection string") from None
    parameters.setdefault("connect_timeout", _CONNECT_TIMEOUT_S)
    parameters.setdefault("application_name", "retrainer-trainer")
    parameters["options"] = f"{parameters.get('options', '')} {limits}".strip()
    connection: Connection = psycopg.connect(**{**parameters, **options})
    return connection


def column_types(connection: Connection, table: str) -> dict[str, str]:
    """Return the `information_schema` type of each column of a table on the search path, in order; {} for none."""
    rows = connection.execute(
        """select column_name, data_type from information_schema.columns
           where table_name = %s and table_schema = any (current_schemas(false)) order by ordinal_position""",
        (table,),
    )
    return dict(rows.fetchall())

"""The members' present features, in memory: a request looks them up and never waits for Postgres."""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from psycopg import sql
from psycopg.types.numeric import FloatLoader

from trainer.daemon.postgres import OUTAGES, Connection, Database, Outage
from trainer.models.base import LiveTable

REFRESH_SECONDS = 5.0
FETCH_SECONDS = 10.0
# A fetch holds the event loop for about half a millisecond; answers are given between two of them.
ROWS_PER_FETCH = 200
# A large table is read less often: reading takes at most a twentieth of the time of this process and of the database.
LARGEST_SHARE = 0.05

Row = tuple[Any, ...]


class Profiles:
    """A copy of the columns of the live table that the model uses; it outlives the database, with growing age."""

    def __init__(
        self, database: Database, live: LiveTable, features: Sequence[str], refresh_seconds: float = REFRESH_SECONDS
    ) -> None:
        self._database = database
        self._live = live
        self._wanted = tuple(features)
        self._refresh_seconds = refresh_seconds
        self._columns: tuple[str, ...] = ()
        self._rows: dict[str, Row] = {}
        self.loaded = asyncio.Event()

    def features_of(self, member_id: str) -> Mapping[str, Any] | None:
        """Return the member's features by name, or None if there is no such member."""
        row = self._rows.get(member_id)
        return None if row is None else dict(zip(self._columns, row, strict=True))

    async def run(self) -> None:
        """Refresh until cancelled; a lost database leaves the last copy in use and is tried again."""
        outage = Outage(self._database, "reading profiles")
        while True:
            try:
                async with await self._database.connect() as connection:
                    connection.adapters.register_loader("numeric", FloatLoader)
                    while True:
                        started = time.perf_counter()
                        await self._refresh(connection)
                        outage.ended()
                        spent = time.perf_counter() - started
                        await asyncio.sleep(max(self._refresh_seconds, spent / LARGEST_SHARE))
            except OUTAGES as fault:
                pause = outage.failed(fault)
            await asyncio.sleep(pause)

    async def _refresh(self, connection: Connection) -> None:
        columns = await self._present_columns(connection)
        # Rows of another shape cannot be mixed with the present ones, so the copy is then built anew and swapped in.
        rows = self._rows if columns == self._columns else {}
        gone = set(rows)
        async for member_id, row in self._read(connection, columns):
            gone.discard(member_id)
            # An unchanged row keeps its old object: a refresh needs little memory beside the copy itself.
            if rows.get(member_id) != row:
                rows[member_id] = row
        for member_id in gone:
            del rows[member_id]
        self._columns, self._rows = columns, rows
        self.loaded.set()

    async def _present_columns(self, connection: Connection) -> tuple[str, ...]:
        """Return the wanted columns that the table has; the model imputes the others."""
        query = sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(self._live.table))
        async with asyncio.timeout(FETCH_SECONDS):
            cursor = await connection.execute(query)
        present = {column.name for column in cursor.description or ()}
        return tuple(name for name in self._wanted if name in present)

    async def _read(self, connection: Connection, columns: Sequence[str]) -> AsyncIterator[tuple[str, Row]]:
        async with connection.transaction(), connection.cursor(name="profiles") as cursor:
            await cursor.execute(self._query(columns))
            while True:
                async with asyncio.timeout(FETCH_SECONDS):
                    chunk: list[tuple[Any, ...]] = await cursor.fetchmany(ROWS_PER_FETCH)
                if not chunk:
                    return
                for member_id, *values in chunk:
                    yield member_id, tuple(values)

    def _query(self, columns: Sequence[str]) -> sql.Composed:
        # The identifier as text, whatever its type is: that is how a request names it.
        member_id = sql.SQL("{}::text").format(sql.Identifier(self._live.id_column))
        query = sql.SQL("SELECT {columns} FROM {table}").format(
            columns=sql.SQL(", ").join([member_id, *map(sql.Identifier, columns)]),
            table=sql.Identifier(self._live.table),
        )
        if self._live.role_column is None:
            return query
        return query + sql.SQL(" WHERE {} = {}").format(
            sql.Identifier(self._live.role_column), sql.Literal(self._live.role)
        )

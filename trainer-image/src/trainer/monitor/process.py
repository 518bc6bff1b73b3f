"""The monitor's rounds: read the objects, measure the evidence, bring the tables up to date."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TypeVar

import psycopg

from trainer.daemon.postgres import OUTAGES, Connection, Database, Outage
from trainer.monitor.drift import measure_drift
from trainer.monitor.exposition import Evidence, Exposition
from trainer.monitor.objects import Cluster, ClusterUnavailable, Policy, Run, read_policy, read_run
from trainer.monitor.projection import Change
from trainer.monitor.records import project
from trainer.monitor.settings import MonitorSettings
from trainer.monitor.totals import Counters
from trainer.monitor.training_table import TrainingTables

logger = logging.getLogger(__name__)

ROUND_SECONDS = 60.0
_DATABASE = "asking the database"

T = TypeVar("T")


class Monitor:
    """One round after the other, each from scratch: nothing that was missed needs to be remembered."""

    def __init__(self, settings: MonitorSettings, database: Database, cluster: Cluster, exposition: Exposition) -> None:
        self._settings = settings
        self._cluster = cluster
        self._exposition = exposition
        self._database = database
        self._outage = Outage(database, "monitoring")
        self._connection: Connection | None = None
        self._counters = Counters()
        self._tables = TrainingTables()
        self._policies: Sequence[Policy] = ()
        self._faults: dict[str, str] = {}
        self._keeps_nothing = False
        self._round_ended = time.monotonic()

    def is_alive(self) -> bool:
        """Return whether rounds still come, be they good or bad."""
        return time.monotonic() - self._round_ended < 2 * ROUND_SECONDS + self._settings.interval_seconds

    async def run(self, stop: asyncio.Event) -> None:
        """Go round until `stop` is set."""
        while not stop.is_set():
            started = time.monotonic()
            pause = await self._round()
            self._round_ended = time.monotonic()
            with suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, started + pause - self._round_ended)):
                    await stop.wait()
        await self._disconnect()

    async def once(self, *, dry_run: bool) -> Mapping[str, str]:
        """Do one round, of which the database keeps nothing if `dry_run`; returns what failed, by part."""
        self._keeps_nothing = dry_run
        await self._round()
        await self._disconnect()
        return dict(self._faults)

    async def _round(self) -> float:
        """Do one round; returns the seconds from its beginning to the next one's."""
        runs = await self._read_objects()
        try:
            async with asyncio.timeout(ROUND_SECONDS):
                connection = await self._connected()
                if runs is not None:
                    await self._project(connection, runs)
                self._exposition.answered(await self._measure(connection))
        except OUTAGES as fault:
            await self._disconnect()
            self._faults[_DATABASE] = self._database.told(fault)
            return min(self._settings.interval_seconds, self._outage.failed(fault))
        self._outage.ended()
        self._faults.pop(_DATABASE, None)
        return self._settings.interval_seconds

    async def _read_objects(self) -> list[Run] | None:
        """Read policies and runs; None if the API server does not answer, and then the policies stay as they were."""
        try:
            policies = [read_policy(document) for document in await self._cluster.policies()]
            runs = [read_run(document) for document in await self._cluster.runs()]
        except ClusterUnavailable as fault:
            self._note("reading policies and runs", str(fault))
            return None
        self._note("reading policies and runs", None)
        secret = self._settings.database_secret
        self._policies = [policy for policy in policies if secret is None or policy.database_secret == secret]
        self._exposition.expects(frozenset(policy.model_type for policy in self._policies))
        return runs

    async def _project(self, connection: Connection, runs: list[Run]) -> None:
        changes: list[Change] | None = await self._part(
            "projecting", project(connection, self._settings.namespace, self._policies, runs)
        )
        for change in changes or ():
            logger.info("written: %s", change)

    async def _measure(self, connection: Connection) -> Evidence:
        model_types = frozenset(policy.model_type for policy in self._policies)
        namespace = self._settings.namespace
        now = await _now(connection)
        live = [(policy.model_type, version) for policy in self._policies for version in policy.live]
        totals = await self._part("counting", self._counters.count(connection, model_types, now, live))
        drifts = await self._part("measuring drift", measure_drift(connection, namespace, model_types))
        tables = await self._part("training tables", self._tables.measure(connection, namespace, self._policies))
        return Evidence(totals or {}, drifts or (), tables or ())

    async def _part(self, name: str, measuring: Awaitable[T]) -> T | None:
        """Return what was measured, or None if its statement failed on a sound connection: the others go on."""
        try:
            measured = await measuring
        except psycopg.Error as fault:
            if self._connection is None or self._connection.closed:
                raise
            self._note(name, self._database.told(fault))
            return None
        self._note(name, None)
        return measured

    def _note(self, name: str, fault: str | None) -> None:
        """Log the beginning, the change and the end of a fault, and not each round of it."""
        if fault is not None and self._faults.get(name) != fault:
            logger.warning("%s: %s", name, fault)
            self._faults[name] = fault
        elif fault is None and self._faults.pop(name, None) is not None:
            logger.info("%s: works again", name)

    async def _connected(self) -> Connection:
        if self._connection is None:
            self._connection = await self._database.connect()
            if self._keeps_nothing:
                # Nothing commits it: it ends with the connection.
                await self._connection.execute("BEGIN")
            self._counters.came_back()
        return self._connection

    async def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            await connection.close()


async def _now(connection: Connection) -> datetime:
    [(now,)] = await (await connection.execute("SELECT now()")).fetchall()
    found: datetime = now
    return found

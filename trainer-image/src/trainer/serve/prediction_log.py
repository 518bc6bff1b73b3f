"""Writes every answered prediction to `ml_predictions`, behind the answers and never in their way."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any
from uuid import UUID

import orjson
import psycopg

from trainer.daemon.postgres import OUTAGES, Connection, Database, Outage

CAPACITY = 10_000
BATCH = 500
GATHER_SECONDS = 0.25
WRITE_SECONDS = 15.0

# One statement and one round trip a batch, serialised by orjson: 500 rows cost the event loop less than a millisecond.
# A batch whose commit was lost with the connection is sent again, and the primary key keeps each row single.
_INSERT = """
    INSERT INTO ml_predictions (id, model_type, model_version, user_id, predicted_at, prediction, predicted_label,
                                confidence_score, response_time_ms, features, interval_low, interval_high)
    SELECT id, %s, %s, user_id, to_timestamp(at), prediction, label, confidence, milliseconds, features, low, high
    FROM jsonb_to_recordset(%s::jsonb) AS logged (
        id uuid, user_id text, at float8, prediction float8, label boolean, confidence float8, milliseconds float8,
        features jsonb, low float8, high float8)
    ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedPrediction:
    """One answered prediction; `at` is Unix time in seconds, `user_id` is None when only features were given.

    `low` and `high` are the 80 % interval of a forecast, which has no label.
    """

    id: UUID
    user_id: str | None
    at: float
    prediction: float
    label: bool | None
    confidence: float
    milliseconds: float
    features: Mapping[str, Any]
    low: float | None = None
    high: float | None = None


class PredictionLog:
    """A bounded queue before the database: when it is full, logs are dropped and counted, requests are not."""

    def __init__(
        self,
        database: Database,
        model_type: str,
        model_version: str,
        dropped: Callable[[int], None],
        capacity: int = CAPACITY,
    ) -> None:
        self._database = database
        self._labels = (model_type, model_version)
        self._dropped = dropped
        self._capacity = capacity
        # Serialised at once: a waiting log takes some 400 bytes, so that a full queue fits the memory of a small pod.
        self._waiting: deque[bytes] = deque()
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()

    def add(self, prediction: LoggedPrediction) -> None:
        """Queue a prediction; returns at once."""
        if len(self._waiting) >= self._capacity:
            self._dropped(1)
            return
        # Copied, because what orjson returns holds on to the 4 KiB that it was written into.
        self._waiting.append(bytes(memoryview(orjson.dumps(prediction))))
        self._arrived.set()

    def close(self) -> None:
        """Let `run` end once everything that waits has been written."""
        self._closing.set()
        self._arrived.set()

    def abandon(self) -> int:
        """Drop and count what still waits; returns how many."""
        count = len(self._waiting)
        self._dropped(count)
        self._waiting.clear()
        return count

    async def run(self) -> None:
        """Write batches until closed and empty; a lost database is tried again for as long as it takes."""
        outage = Outage(self._database, "logging predictions")
        while not self._is_done():
            try:
                async with await self._database.connect() as connection:
                    await self._write_until_done(connection, outage)
                    return
            except OUTAGES as fault:
                pause = outage.failed(fault)
            await self._pause(pause)

    def _is_done(self) -> bool:
        return self._closing.is_set() and not self._waiting

    async def _write_until_done(self, connection: Connection, outage: Outage) -> None:
        outage.ended()
        while not self._is_done():
            await self._arrived.wait()
            if len(self._waiting) < BATCH and not self._closing.is_set():
                await self._pause(GATHER_SECONDS)
            batch = list(islice(self._waiting, BATCH))
            await self._write(connection, batch)
            # Only now, so that a batch that failed is still first in the queue.
            for _ in batch:
                self._waiting.popleft()
            if not self._waiting and not self._closing.is_set():
                self._arrived.clear()

    async def _write(self, connection: Connection, batch: Sequence[bytes]) -> None:
        document = b"[" + b",".join(batch) + b"]"
        try:
            async with asyncio.timeout(WRITE_SECONDS):
                await connection.execute(_INSERT, (*self._labels, document.decode()))
        except (psycopg.DataError, psycopg.IntegrityError):
            # A row that Postgres will never take must not hold up the others for ever: halves find it.
            if len(batch) == 1:
                self._dropped(1)
                return
            middle = len(batch) // 2
            await self._write(connection, batch[:middle])
            await self._write(connection, batch[middle:])

    async def _pause(self, seconds: float) -> None:
        if self._closing.is_set():
            await asyncio.sleep(min(seconds, GATHER_SECONDS))
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._closing.wait()

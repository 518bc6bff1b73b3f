"""Open-loop load: requests leave when they are due, however slow the answers are, and none is sent twice."""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import count

import aiohttp

from tests.client.record import Answer, Connection, Record

# So many callers keep a connection each and take turns; a Service balances connections, so they are its coarsest traffic.
# The first never leave by themselves. The others do after some requests, as the pools of real clients do: some reach a new version so.
KEPT_FOREVER = 8
KEPT_FOR_A_WHILE = 16
REQUESTS_OF_A_WHILE = 8
# Idle connections are never dropped by the client: it is the server that has to ask, by `Connection: close`.
IDLE_SECONDS = 3600.0
VERSION_HEADER = "X-Model-Version"


@dataclass(frozen=True, slots=True)
class Load:
    """What to call: `rate` requests a second to `url`, each about one of `members`, each failed after `timeout` seconds."""

    url: str
    rate: float
    members: Sequence[str]
    timeout: float = 2.0


@dataclass(frozen=True, slots=True)
class Turn:
    """Whose turn it is to call; `leaves` tells the server that this is the last request on its connection."""

    connection: Connection
    session: aiohttp.ClientSession
    leaves: bool = False


class Callers:
    """Callers that keep a connection, for ever or for a while, and one that opens a new one for every request."""

    def __init__(self, kept: Sequence[aiohttp.ClientSession], new: aiohttp.ClientSession) -> None:
        self._kept = kept
        self._new = new

    @classmethod
    async def open(cls, stack: AsyncExitStack) -> "Callers":
        """Return callers whose connections the stack closes."""
        kept = [await stack.enter_async_context(_session(limit=1)) for _ in range(KEPT_FOREVER + KEPT_FOR_A_WHILE)]
        new = await stack.enter_async_context(_session(limit=0, force_close=True))
        return cls(kept, new)

    def turn(self, number: int) -> Turn:
        """Return whose turn it is: every second request goes over a new connection."""
        if number % 2:
            return Turn(Connection.NEW, self._new)
        round_, caller = divmod(number // 2, len(self._kept))
        # Not all at once: each of them leaves in another round.
        leaves = caller >= KEPT_FOREVER and (round_ + caller) % REQUESTS_OF_A_WHILE == 0
        return Turn(Connection.KEPT, self._kept[caller], leaves)


def _session(*, limit: int, force_close: bool = False) -> aiohttp.ClientSession:
    connector = aiohttp.TCPConnector(limit=limit, force_close=force_close, keepalive_timeout=None if force_close else IDLE_SECONDS)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def call_until(stop: asyncio.Event, load: Load, record: Record) -> None:
    """Call at the load's rate until told to stop, then wait for the answers still out."""
    under_way: set[asyncio.Task[None]] = set()
    async with AsyncExitStack() as stack:
        callers = await Callers.open(stack)
        started = time.monotonic()
        for number in count():
            due = started + number / load.rate
            if await _told_before(stop, due):
                break
            task = asyncio.create_task(_call(load, callers.turn(number), due, record))
            under_way.add(task)
            task.add_done_callback(under_way.discard)
        if under_way:
            await asyncio.wait(under_way)


async def _told_before(stop: asyncio.Event, due: float) -> bool:
    try:
        async with asyncio.timeout(max(0.0, due - time.monotonic())):
            await stop.wait()
    except TimeoutError:
        return False
    return True


async def _call(load: Load, turn: Turn, due: float, record: Record) -> None:
    """Send one request; its time begins when it was due, so that a caller's own delay counts as the caller would feel it."""
    status, error, version = None, "", ""
    late = time.monotonic() - due
    at = time.time() - late
    try:
        async with asyncio.timeout(load.timeout - late):
            body = {"memberId": random.choice(load.members)}
            headers = {"Connection": "close"} if turn.leaves else {}
            async with turn.session.post(load.url, json=body, headers=headers) as response:
                await response.read()
                status, version = response.status, response.headers.get(VERSION_HEADER, "")
    except (aiohttp.ClientError, OSError, TimeoutError) as fault:
        error = f"{type(fault).__name__}: {fault}".removesuffix(": ")
    record.add(Answer(round(at, 6), turn.connection, status, error, version, round((time.monotonic() - due) * 1000, 3)))

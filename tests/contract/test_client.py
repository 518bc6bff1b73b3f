"""The client against a server of its own."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.client.load import KEPT_FOR_A_WHILE, KEPT_FOREVER, REQUESTS_OF_A_WHILE, Load, call_until
from tests.client.record import Connection, Record, percentile

Handler = Callable[[web.Request], Awaitable[web.Response]]
RATE = 400.0


@dataclass(slots=True)
class Server:
    url: str = ""
    peers: list[tuple[Any, ...]] = field(default_factory=list)
    bodies: list[Any] = field(default_factory=list)
    enough: asyncio.Event = field(default_factory=asyncio.Event)


@asynccontextmanager
async def serving(answer: Handler, requests: int) -> AsyncIterator[Server]:
    """A server on a free port that says when so many requests have arrived."""
    server = Server()

    async def handle(request: web.Request) -> web.Response:
        assert request.transport is not None
        server.peers.append(request.transport.get_extra_info("peername"))
        server.bodies.append(await request.json())
        if len(server.bodies) >= requests:
            server.enough.set()
        return await answer(request)

    application = web.Application()
    application.router.add_post("/predict", handle)
    runner = web.AppRunner(application, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/predict"
    try:
        yield server
    finally:
        await runner.cleanup()


async def called(server: Server, path: Path, patience: float = 2.0) -> tuple[list[dict[str, Any]], Any]:
    """Call until the server has had enough; returns the log's lines and the totals."""
    record = Record(path)
    await call_until(server.enough, Load(server.url, RATE, ["m1", "m2"], patience), record)
    totals = record.close()
    *lines, last = written(path)
    assert last == {"totals": totals}
    return lines, totals


def written(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


async def good(_: web.Request) -> web.Response:
    return web.json_response({}, headers={"X-Model-Version": "v1"})


async def test_half_of_the_requests_are_on_kept_connections_some_of_which_leave_after_a_while(tmp_path: Path) -> None:
    kept_requests = 2 * REQUESTS_OF_A_WHILE * (KEPT_FOREVER + KEPT_FOR_A_WHILE)
    async with serving(good, requests=2 * kept_requests) as server:
        lines, totals = await called(server, tmp_path / "log")
    kept = sum(line["connection"] == Connection.KEPT for line in lines)
    assert abs(kept - len(lines) / 2) <= 1
    assert totals["failed"] == 0
    assert totals["versions"] == {"v1": len(lines)}
    per_connection = Counter(server.peers)
    assert sum(requests > REQUESTS_OF_A_WHILE for requests in per_connection.values()) == KEPT_FOREVER
    assert len(per_connection) - (len(lines) - kept) >= KEPT_FOREVER + 2 * KEPT_FOR_A_WHILE
    assert {body["memberId"] for body in server.bodies} == {"m1", "m2"}


async def test_a_server_that_asks_for_it_gets_a_new_connection_and_nothing_fails(tmp_path: Path) -> None:
    async def closing(_: web.Request) -> web.Response:
        return web.json_response({}, headers={"X-Model-Version": "v1", "Connection": "close"})

    async with serving(closing, requests=60) as server:
        lines, totals = await called(server, tmp_path / "log")
    assert totals["failed"] == 0
    assert len(set(server.peers)) == len(lines)


async def test_a_request_that_is_not_answered_in_time_has_failed_and_holds_up_no_other(tmp_path: Path) -> None:
    never = asyncio.Event()

    async def first_hangs(_: web.Request) -> web.Response:
        if not answered:
            answered.append(True)
            await never.wait()
        return await good(_)

    answered: list[bool] = []
    async with serving(first_hangs, requests=80) as server:
        lines, totals = await called(server, tmp_path / "log", patience=0.2)
    assert totals["failed"] >= 1
    assert all("TimeoutError" in line["error"] for line in lines if line["error"])
    assert totals["failed"] < len(lines) / 4


async def test_an_error_of_the_server_is_a_failure_that_is_not_retried(tmp_path: Path) -> None:
    async def failing(_: web.Request) -> web.Response:
        return web.Response(status=503)

    async with serving(failing, requests=20) as server:
        lines, totals = await called(server, tmp_path / "log")
    assert totals["failed"] == len(lines) == len(server.bodies)
    assert {line["status"] for line in lines} == {503}


async def test_nobody_there_is_a_failure_with_its_reason(tmp_path: Path) -> None:
    async with serving(good, requests=1) as server:
        url = server.url
    record = Record(tmp_path / "log")
    stop = asyncio.Event()
    asyncio.get_running_loop().call_later(0.1, stop.set)
    await call_until(stop, Load(url, RATE, ["m1"]), record)
    assert record.close()["failed"] >= 5
    first = written(tmp_path / "log")[0]
    assert first["status"] is None
    assert "ClientConnectorError" in first["error"]


async def test_the_rate_does_not_depend_on_how_slow_answers_are(tmp_path: Path) -> None:
    async def slow(request: web.Request) -> web.Response:
        await asyncio.sleep(0.1)
        return await good(request)

    async with serving(slow, requests=60) as server:
        lines, _ = await called(server, tmp_path / "log")
    new = [line["t"] for line in lines if line["connection"] == Connection.NEW]
    # Over new connections nothing is waited for: 100 a second, though each answer takes a tenth of one.
    assert (max(new) - min(new)) < 2 * len(new) / (RATE / 2)


def test_percentiles_are_of_the_nearest_rank() -> None:
    assert percentile([3.0, 1.0, 2.0], 50) == 2.0
    assert percentile([float(one) for one in range(1, 101)], 99) == 99.0
    assert percentile([], 50) is None

"""A gate before the API server: it counts the operator's writes, and holds one of each namespace until the operator is dead.

A write held *before* never reaches the API server; one held *after* has its answer, which the operator never sees.
"""

import asyncio
import ssl
import time
from collections import defaultdict
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Final

import aiohttp
import yaml
from aiohttp import web
from kubernetes.aio import client, config

from retrainer.server import Listener
from tests.crash.writes import FIRST_SERVES, Write, write_of

_HOPS: Final = frozenset({"connection", "transfer-encoding", "content-length", "content-encoding", "host"})


class Side(StrEnum):
    """On which side of a write the operator dies."""

    BEFORE = "before"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Point:
    """Where the operator dies."""

    write: Write
    side: Side

    def __str__(self) -> str:
        return f"{self.side} {self.write}"


@dataclass(slots=True)
class Gate:
    """Passes everything on; `hold` names the points at the first of which a namespace's write is held until `let_go`."""

    host: str
    session: aiohttp.ClientSession
    written: dict[str, list[Write]] = field(default_factory=lambda: defaultdict(list))
    """Every write that was asked for, by namespace, in order."""
    loses: bytes = b""
    """What a watch's event begins with that is lost on the way; nothing is lost where this is empty."""
    _latest: dict[str, float] = field(default_factory=dict)
    _serving: set[str] = field(default_factory=set)
    _points: dict[str, frozenset[Point]] = field(default_factory=dict)
    _held: dict[str, asyncio.Future[Point]] = field(default_factory=dict)
    _dead: asyncio.Event = field(default_factory=asyncio.Event)
    _listener: Listener | None = None

    @classmethod
    async def before(cls, kubeconfig: Path) -> "Gate":
        """Return a gate before the API server that a kubeconfig names."""
        settings = client.Configuration()
        await config.load_kube_config(str(kubeconfig), client_configuration=settings)
        trusted = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        connector = aiohttp.TCPConnector(ssl=trusted, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        session = aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**20)
        gate = cls(settings.host, session)
        app = web.Application(client_max_size=2**24)
        app.router.add_route("*", "/{path:.*}", gate._pass)
        gate._listener = Listener(app, 0, "127.0.0.1")
        await gate._listener.start()
        return gate

    def kubeconfig(self, original: Path, copy: Path) -> Path:
        """Write a kubeconfig with the same credentials that leads through the gate."""
        assert self._listener is not None
        document = yaml.safe_load(original.read_text(encoding="utf-8"))
        document["clusters"][0]["cluster"] = {"server": f"http://127.0.0.1:{self._listener.port}"}
        copy.write_text(yaml.safe_dump(document), encoding="utf-8")
        copy.chmod(0o600)
        return copy

    def hold(self, points: Mapping[str, frozenset[Point]]) -> None:
        """Hold in each namespace the write that comes first to one of its points, until `let_go`."""
        loop = asyncio.get_running_loop()
        self._points = dict(points)
        self._held = {namespace: loop.create_future() for namespace in points}
        self._dead = asyncio.Event()

    async def holds(self, namespace: str) -> Point:
        """Return the point at which a namespace's write is held, once one is."""
        return await asyncio.shield(self._held[namespace])

    async def falls_silent(self, namespaces: Collection[str], for_s: float) -> None:
        """Return once nothing has been written in these namespaces for so long."""
        silent = since = time.monotonic()
        while (left := silent + for_s - time.monotonic()) > 0:
            await asyncio.sleep(left)
            silent = max(self._latest.get(namespace, since) for namespace in namespaces)

    def let_go(self) -> None:
        """Break every connection that is held: who asked is dead by now. From here on nothing is held any more."""
        self._points = {}
        self._dead.set()

    async def close(self) -> None:
        """Pass nothing on any more."""
        self.let_go()
        assert self._listener is not None
        await self._listener.stop()
        await self.session.close()

    async def _pass(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        known = self._known(request, body)
        if known is not None and (self._asks_again(*known) or self._reaches(*known, Side.BEFORE)):
            return await self._hold(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOPS}
        url = self.host + str(request.rel_url)
        async with self.session.request(request.method, url, headers=headers, data=body or None) as answer:
            if known is not None and self._reaches(*known, Side.AFTER):
                await answer.read()
                return await self._hold(request)
            return await self._hand_on(request, answer)

    def _known(self, request: web.Request, body: bytes) -> tuple[str, Write] | None:
        found = write_of(request.method, request.path, body)
        if found is None:
            return None
        namespace, write = found
        known = replace(write, after_first_version=namespace in self._serving)
        if write == FIRST_SERVES:
            self._serving.add(namespace)
        self.written[namespace].append(known)
        self._latest[namespace] = time.monotonic()
        return namespace, known

    def _asks_again(self, namespace: str, write: Write) -> bool:
        """Say whether it is the write that is held, sent once more because no answer came in time."""
        held = self._held.get(namespace)
        return namespace in self._points and held is not None and held.done() and held.result().write == write

    def _reaches(self, namespace: str, write: Write, side: Side) -> bool:
        """Say whether this is the first of the namespace's points to be reached, which from then on is held."""
        point, held = Point(write, side), self._held.get(namespace)
        if held is None or held.done() or point not in self._points.get(namespace, frozenset()):
            return False
        held.set_result(point)
        return True

    async def _hold(self, request: web.Request) -> web.StreamResponse:
        await self._dead.wait()
        if request.transport is not None:  # none is left where the connection broke with whoever asked
            request.transport.abort()
        return web.Response()

    async def _hand_on(self, request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
        headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}
        if request.query.get("watch") not in {"1", "true"}:
            return web.Response(status=answer.status, headers=headers, body=await answer.read())
        response = web.StreamResponse(status=answer.status, headers=headers)
        with suppress(ConnectionError):  # who watched was killed
            await response.prepare(request)
            async for event in answer.content:
                if not (self.loses and event.startswith(self.loses)):
                    await response.write(event)
        return response

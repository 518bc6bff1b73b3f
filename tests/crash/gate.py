"""A gate before the API server: it counts the operator's writes, and holds one of each namespace until the operator is dead.

A write held *before* never reaches the API server; one held *after* has its answer, which the operator never sees.
"""

import asyncio
import ssl
from collections import defaultdict
from collections.abc import Mapping
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
    """Passes everything on; `hold` names the point at which a namespace's write is held until `let_go`."""

    host: str
    session: aiohttp.ClientSession
    written: dict[str, list[Write]] = field(default_factory=lambda: defaultdict(list))
    """Every write that was asked for, by namespace, in order."""
    _serving: set[str] = field(default_factory=set)
    _points: dict[str, Point] = field(default_factory=dict)
    _held: dict[str, asyncio.Event] = field(default_factory=dict)
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

    def hold(self, points: Mapping[str, Point]) -> None:
        """Hold the write of each namespace's point, until `let_go`."""
        self._points = dict(points)
        self._held = {namespace: asyncio.Event() for namespace in points}
        self._dead = asyncio.Event()

    async def holds(self, namespace: str) -> None:
        """Return when a namespace's write is held."""
        await self._held[namespace].wait()

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
        if known is not None and self._asks_again(*known):
            return await self._hold(request, known[0])
        point = self._reached(*known) if known is not None else None
        if known is not None and point is not None and point.side is Side.BEFORE:
            return await self._hold(request, known[0])
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _HOPS}
        url = self.host + str(request.rel_url)
        async with self.session.request(request.method, url, headers=headers, data=body or None) as answer:
            if known is not None and point is not None:
                await answer.read()
                return await self._hold(request, known[0])
            return await _hand_on(request, answer)

    def _known(self, request: web.Request, body: bytes) -> tuple[str, Write] | None:
        found = write_of(request.method, request.path, body)
        if found is None:
            return None
        namespace, write = found
        known = replace(write, after_first_version=namespace in self._serving)
        if write == FIRST_SERVES:
            self._serving.add(namespace)
        return namespace, known

    def _asks_again(self, namespace: str, write: Write) -> bool:
        """Say whether it is the write that is held, sent once more because no answer came in time."""
        point, held = self._points.get(namespace), self._held.get(namespace)
        return point is not None and held is not None and held.is_set() and point.write == write

    def _reached(self, namespace: str, write: Write) -> Point | None:
        self.written[namespace].append(write)
        point = self._points.get(namespace)
        return point if point is not None and point.write == write else None

    async def _hold(self, request: web.Request, namespace: str) -> web.StreamResponse:
        self._held[namespace].set()
        await self._dead.wait()
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


async def _hand_on(request: web.Request, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    headers = {name: value for name, value in answer.headers.items() if name.lower() not in _HOPS}
    if request.query.get("watch") not in {"1", "true"}:
        return web.Response(status=answer.status, headers=headers, body=await answer.read())
    response = web.StreamResponse(status=answer.status, headers=headers)
    with suppress(ConnectionError):  # who watched was killed
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            await response.write(chunk)
    return response

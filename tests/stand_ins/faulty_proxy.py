"""A proxy before a real Prometheus that may lose it, hold its answers back, or put others in their place."""

import asyncio
from enum import StrEnum

import aiohttp
from aiohttp import web

from retrainer.server import Listener

_AGE_S = 600


class Fault(StrEnum):
    """What it does to a question."""

    NONE = "none"
    DOWN = "down"
    """Cuts the connection."""
    SLOW = "slow"
    """Never answers."""
    WRONG = "wrong"
    """Answers with a page that is not Prometheus' API."""
    PARTIAL = "partial"
    """Answers with a warning, as Prometheus' own federations do when a store is lost."""
    OLD = "old"
    """Answers with what was true ten minutes ago, as a cache that is not renewed."""


class FaultyProxy:
    """A server that passes questions on to `upstream` unless it has a fault."""

    def __init__(self, upstream: str) -> None:
        app = web.Application()
        app.router.add_post("/api/v1/query", self._query)
        self._upstream = upstream
        self._listener = Listener(app, 0, "127.0.0.1")
        self._client = aiohttp.ClientSession()
        self.fault = Fault.NONE
        self._changed = asyncio.Event()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._listener.port}"

    async def start(self) -> None:
        """Begin to answer."""
        await self._listener.start()

    async def stop(self) -> None:
        """Answer no more."""
        self.have(Fault.DOWN)
        await self._listener.stop()
        await self._client.close()

    def have(self, fault: Fault) -> None:
        """Treat questions so from now on; those that were held back are let go."""
        self.fault = fault
        self._changed.set()
        self._changed = asyncio.Event()

    async def _query(self, request: web.Request) -> web.Response:
        match self.fault:
            case Fault.DOWN:
                assert request.transport is not None
                request.transport.close()
                return web.Response()
            case Fault.SLOW:
                await self._changed.wait()
                return web.Response(status=504)
            case Fault.WRONG:
                return web.Response(text="<html>please log in</html>", content_type="text/html")
            case Fault.NONE | Fault.PARTIAL | Fault.OLD:
                pass
        async with self._client.post(f"{self._upstream}/api/v1/query", data=await request.post()) as answer:
            body = await answer.json()
        if self.fault is Fault.PARTIAL:
            body["warnings"] = ["a store did not answer"]
        if self.fault is Fault.OLD:
            for series in body["data"]["result"]:
                series["value"][0] -= _AGE_S
        return web.json_response(body, status=answer.status)

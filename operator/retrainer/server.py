"""The operator's ports: a listener for any application, and the one application that tells how the operator is."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder


class Listener:
    """An application on a port of its own, on all addresses (IPv6 too, where there is any) unless one is given."""

    def __init__(self, app: web.Application, port: int, host: str | None = None) -> None:
        self._runner = web.AppRunner(app, handle_signals=False, access_log=None, shutdown_timeout=5)
        self._port = port
        self._host = host

    @property
    def port(self) -> int:
        """The port it listens on, once started; the one the system chose where 0 was asked for."""
        return int(self._runner.addresses[0][1])

    async def start(self) -> None:
        """Begin to listen; OSError when the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()

    async def stop(self) -> None:
        """Stop listening, and give requests under way 5 s to be answered."""
        await self._runner.cleanup()


def health_app(registry: CollectorRegistry, alive: Callable[[], bool], ready: Callable[[], bool]) -> web.Application:
    """Return `/metrics`, `/healthz` (200 while `alive`) and `/readyz` (200 while `ready`), else 503."""

    async def metrics(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = await asyncio.to_thread(encode, registry)  # thousands of series take a while
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/healthz", _telling(alive))
    app.router.add_get("/readyz", _telling(ready))
    return app


def _telling(fact: Callable[[], bool]) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(_: web.Request) -> web.StreamResponse:
        good = fact()
        return web.Response(status=200 if good else 503, text="ok\n" if good else "no\n")

    return answer

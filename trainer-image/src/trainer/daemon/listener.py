"""uvicorn behind a socket of ours and without its signal handling: when to stop is decided elsewhere."""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from typing_extensions import override

BACKLOG = 2048
# Longer than clients and proxies keep an idle connection (Go 90 s, Traefik 90 s, Google's load balancer 600 s): whoever
# sends next must be the one who closes, or a request crosses our close on the wire and is lost.
IDLE_SECONDS = 620
FINISH_SECONDS = 5


def bind(port: int) -> socket.socket:
    """Return a listening socket on all addresses of both families, or of IPv4 alone where there is no other."""
    if socket.has_dualstack_ipv6():
        listening = socket.create_server(("", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=BACKLOG)
    else:
        listening = socket.create_server(("", port), backlog=BACKLOG)
    # Accepted connections inherit it. asyncio sets it only on sockets that it made itself, and without it the body of
    # an answer waits 40 ms for the client to acknowledge the headers.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


class Listener(uvicorn.Server):
    """Answers on one socket from `run` until `stop`; what is in flight then is finished for up to five seconds."""

    def __init__(self, app: Callable[[Any, Any, Any], Awaitable[None]]) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=IDLE_SECONDS,
                timeout_graceful_shutdown=FINISH_SECONDS,
            )
        )

    async def run_on(self, listening: socket.socket) -> None:
        """Accept and answer until `stop`, then finish what is in flight."""
        await self.serve(sockets=[listening])

    def stop(self) -> None:
        """Accept no more, finish what is in flight, and let `run_on` return."""
        self.should_exit = True

    @override
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        # uvicorn would stop at SIGTERM at once and then raise it again, so that the exit code could not be 0.
        yield


def new_event_loop() -> asyncio.AbstractEventLoop:
    """Return the quickest event loop that is installed."""
    factory = uvicorn.Config(app="", log_config=None).get_loop_factory()
    return factory() if factory else asyncio.new_event_loop()

"""As many requests as a few connections carry, one after the other on each, and which version answered each of them."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from tests.client.load import VERSION_HEADER

_VERSION = f"\r\n{VERSION_HEADER}: ".lower().encode()
_LENGTH = b"\r\ncontent-length: "
_COOKIE = b"\r\nset-cookie: "


@dataclass(frozen=True, slots=True)
class Hit:
    """One request: when it was sent and answered (Unix seconds), its status, the version, and the cookie it was given.

    Status 0 where the connection broke.
    """

    sent: float
    answered: float
    status: int
    version: str
    cookie: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """Where a gateway listens on loopback, and the host that is asked for; `cookie` goes with every request."""

    port: int
    host: str
    cookie: str = ""

    @property
    def request(self) -> bytes:
        """The whole request."""
        cookie = f"Cookie: {self.cookie}\r\n" if self.cookie else ""
        return f"GET /predict HTTP/1.1\r\nHost: {self.host}\r\n{cookie}\r\n".encode()


@dataclass(slots=True)
class _Caller(asyncio.Protocol):
    """Keeps one connection and asks again as soon as it has been answered, while `more()` says so."""

    request: bytes
    more: Callable[[], bool]
    hits: list[Hit]
    done: asyncio.Future[None]
    _transport: asyncio.Transport | None = None
    _received: bytearray = field(default_factory=bytearray)
    _sent: float = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._ask()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(b"\r\n\r\n")
        fields = bytes(head)
        names = fields.lower()
        if not end or len(body) < int(_value(fields, names, _LENGTH) or 0):
            return
        version, cookie = (_value(fields, names, name) for name in (_VERSION, _COOKIE))
        self.hits.append(Hit(self._sent, time.time(), int(head[9:12]), version, cookie))
        self._received.clear()
        self._ask()

    def connection_lost(self, error: Exception | None) -> None:
        if self._sent:
            self.hits.append(Hit(self._sent, time.time(), 0, ""))
        if not self.done.done():
            self.done.set_result(None)

    def _ask(self) -> None:
        assert self._transport is not None
        if not self.more():
            self._sent = 0.0
            self._transport.close()
            return
        self._sent = time.time()
        self._transport.write(self.request)


async def burst(target: Target, requests: int, connections: int = 16) -> list[Hit]:
    """Send so many requests over kept-alive connections and return what came of each."""
    left = iter(range(requests))
    return await call_while(target, lambda: next(left, None) is not None, connections)


async def call_while(target: Target, more: Callable[[], bool], connections: int = 16) -> list[Hit]:
    """Go on over kept-alive connections while `more()` says so, and return what came of each request."""
    loop, hits = asyncio.get_running_loop(), list[Hit]()
    ends = [loop.create_future() for _ in range(connections)]
    for end in ends:
        await loop.create_connection(lambda end=end: _Caller(target.request, more, hits, end), "127.0.0.1", target.port)  # type: ignore[misc]
    await asyncio.gather(*ends)
    return hits


def _value(fields: bytes, lower: bytes, name: bytes) -> str:
    """Return a header's value as it was written; empty where there is none."""
    at = lower.find(name)
    return "" if at < 0 else fields[at + len(name) :].partition(b"\r\n")[0].decode()

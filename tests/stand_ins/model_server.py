"""What runs in every serving pod: one HTTP server on all addresses, which knows by the one asked which version it plays."""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Network
from typing import Final

from aiohttp import web

from retrainer.server import Listener
from tests.client.load import VERSION_HEADER

_LOOPBACK: Final = IPv4Network("127.0.0.0/8")


@dataclass(slots=True)
class ModelServer:
    """Answers smoke tests with the status `says(version)` gives; None breaks the connection, as a pod does that hears nobody."""

    network: IPv4Network = _LOOPBACK
    """Where the pods' addresses are: addresses of this machine, all of them. No endpoint can be on loopback."""
    says: Callable[[str], int | None] = lambda _: 200
    asked: list[str] = field(default_factory=list)
    """The versions asked, in order."""
    behind: Callable[[str], str] | None = None
    """The version that answers at an address that is no pod's: what kube-proxy makes of a Service's."""
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(2))
    _versions: dict[str, str] = field(default_factory=dict)
    _listener: Listener | None = None

    @property
    def port(self) -> int:
        """The port of every pod."""
        assert self._listener is not None
        return self._listener.port

    async def start(self) -> None:
        """Begin to answer."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._listener = Listener(app, 0, "0.0.0.0")
        await self._listener.start()

    async def stop(self) -> None:
        """Answer no more."""
        if self._listener is not None:
            await self._listener.stop()

    def give_address(self, version: str) -> str:
        """Return an address of its own for a new pod of the version."""
        address = str(self.network[next(self._numbers) % (self.network.num_addresses - 2) + 1])
        self._versions[address] = version
        return address

    async def _answer(self, request: web.Request) -> web.Response:
        assert request.transport is not None
        address = request.transport.get_extra_info("sockname")[0]
        version = self.behind(address) if self.behind and address not in self._versions else self._versions[address]
        self.asked.append(version)
        status = self.says(version)
        if status is None:
            request.transport.abort()
            return web.Response()
        return web.json_response({"version": version}, status=status, headers={VERSION_HEADER: version})

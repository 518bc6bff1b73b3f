"""`Prober` on aiohttp: one plain request, of whose answer only the status is kept, and whether it names a version."""

import asyncio

import aiohttp
from typing_extensions import override

from retrainer.adapters.unreachable import why
from retrainer.ports import Probe, Prober

_MOST_READ = 1024


class HttpProber(Prober):
    """Asks pods and Services by address; construct inside the event loop.

    Every probe has a connection of its own: a kept one might lead to a pod that the Service no longer selects.
    """

    def __init__(self) -> None:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=32), cookie_jar=aiohttp.DummyCookieJar(), auto_decompress=False
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    @override
    async def probe(self, url: str, body: str | None, timeout_s: float, expected: str = "") -> Probe:
        try:
            async with asyncio.timeout(timeout_s):
                return await self._ask(url, body, expected)
        except TimeoutError:
            return Probe(0, f"no answer within {timeout_s:g} s")
        except aiohttp.InvalidURL:
            return Probe(0, "not a URL")
        except aiohttp.ClientConnectorError as error:
            return Probe(0, f"no connection: {why(error)}")
        except (aiohttp.ClientError, OSError) as error:
            return Probe(0, f"no answer: {type(error).__name__}")

    async def _ask(self, url: str, body: str | None, expected: str) -> Probe:
        method = "GET" if body is None else "POST"
        headers = {"User-Agent": "retrainer"} | ({} if body is None else {"Content-Type": "application/json"})
        data = None if body is None else body.encode()
        async with self._session.request(method, url, data=data, headers=headers, allow_redirects=False) as response:
            read = await response.content.read(_MOST_READ)
            named = bool(expected) and (expected.encode() in read or expected in response.headers.values())
            return Probe(response.status, f"HTTP {response.status}", named)

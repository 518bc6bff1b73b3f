"""Range queries to one Prometheus: by its URL, or through the API server's proxy with the caller's own rights."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Protocol

import aiohttp
from typing_extensions import override
from yarl import URL

from retrainer.adapters.api_server import ApiServer, Request
from retrainer.adapters.unreachable import why
from retrainer.errors import Refused, RetrainerError, Unavailable

Matrix = list[dict[str, Any]]
"""Prometheus' own: each series with its labels, and its values as pairs of a time and a text."""

_POINTS: Final = 10_000
"""Prometheus refuses more than 11,000 points a series."""
_TIMEOUT: Final = aiohttp.ClientTimeout(total=120)
_AT_ONCE: Final = 4


@dataclass(frozen=True, slots=True)
class Span:
    """Every `step` from `start` to `end`."""

    start: datetime
    end: datetime
    step: timedelta

    @property
    def moments(self) -> list[datetime]:
        """The steps."""
        return [self.start + number * self.step for number in range(int((self.end - self.start) / self.step) + 1)]

    @property
    def parts(self) -> list["Span"]:
        """The span in pieces that one query may ask for."""
        moments = self.moments
        return [Span(piece[0], piece[-1], self.step) for at in range(0, len(moments), _POINTS) if (piece := moments[at : at + _POINTS])]


class Prometheus(Protocol):
    """A server's HTTP API."""

    async def query_range(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        """Return the body of an answer of `/api/v1/query_range`; raises what `errors.py` names."""


class AtUrl(Prometheus):
    """A Prometheus that the caller reaches; construct inside the event loop."""

    def __init__(self, url: str) -> None:
        parsed = URL(url)
        if parsed.scheme not in {"http", "https"} or not parsed.host:
            raise Refused(f"{parsed.with_user(None)} is not an http or https URL")
        self._url = parsed.with_user(None) / "api/v1/query_range"
        headers = {"Authorization": aiohttp.encode_basic_auth(parsed.user, parsed.password or "")} if parsed.user else {}
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT, headers=headers)

    @classmethod
    @asynccontextmanager
    async def open(cls, url: str) -> AsyncIterator["AtUrl"]:
        """Give the Prometheus at a URL, and close the connections to it afterwards."""
        prometheus = cls(url)
        try:
            yield prometheus
        finally:
            await prometheus._session.close()

    @override
    async def query_range(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        try:
            async with self._session.post(self._url, data=parameters) as answer:
                body = await answer.json(content_type=None)
        except aiohttp.ClientConnectorError as error:
            raise Unavailable(f"{self._url.origin()}: no connection: {why(error)}") from error
        except (aiohttp.ClientError, ValueError, TimeoutError) as error:
            raise Unavailable(f"{self._url.origin()}: no answer of Prometheus' API: {type(error).__name__}") from error
        return body if isinstance(body, dict) else {}


class BehindApiServer(Prometheus):
    """A Prometheus whose Service the API server reaches: `service` is `namespace/name:port`."""

    def __init__(self, api: ApiServer, service: str) -> None:
        namespace, slash, rest = service.partition("/")
        if not slash or not namespace or not rest:
            raise Refused(f"{service!r} is not NAMESPACE/NAME:PORT, as in monitoring/prometheus:9090")
        self._api = api
        self._path = f"/api/v1/namespaces/{namespace}/services/{rest}/proxy/api/v1/query_range"
        self._service = service

    @override
    async def query_range(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        return await self._api.send(Request("get", "Service", f"Service {self._service}", "GET", self._path, parameters))


class History:
    """One Prometheus' past."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, promql: str, span: Span) -> Matrix:
        """Return every series of a query over a span; raises RetrainerError with what Prometheus said where it declines."""
        pieces = await asyncio.gather(*(self._piece(promql, piece) for piece in span.parts))
        return [series for piece in pieces for series in piece]

    async def _piece(self, promql: str, span: Span) -> Matrix:
        parameters = {
            "query": promql,
            "start": f"{span.start.timestamp():.3f}",
            "end": f"{span.end.timestamp():.3f}",
            "step": f"{span.step.total_seconds():g}",
        }
        async with self._turns:
            body = await self._prometheus.query_range(parameters)
        if body.get("status") != "success":
            raise _declined(body)
        result: Matrix = body["data"]["result"]
        return result


def _declined(body: Mapping[str, Any]) -> RetrainerError:
    return Refused(f"Prometheus: {body.get('errorType', 'error')}: {body.get('error', 'not an answer of its API')}")

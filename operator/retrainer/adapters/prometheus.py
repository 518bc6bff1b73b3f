"""`Metrics` on Prometheus' HTTP API: an instant query answered by a vector with finite values, or by the reason why there is none."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import aiohttp
from typing_extensions import override
from yarl import URL

from retrainer.adapters.prometheus_answer import refusal_of, vector_of
from retrainer.adapters.token_file import TokenFile
from retrainer.adapters.unreachable import why
from retrainer.core.measurement import Answer, NoData, NoDataReason, Question, Vector
from retrainer.ports import Clock, Metrics


@dataclass(frozen=True, slots=True)
class Source:
    """A Prometheus the administrator named: where its API is, and what to show it. The URL may hold a user and a password."""

    url: str = field(repr=False)
    token_file: Path | None = None
    allows_queries: bool = False


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one question may cost. The time counts from asking, so a wait for one of the `concurrent` turns is part of it."""

    timeout_s: float = 10.0
    concurrent: int = 8
    most_bytes: int = 16 * 1024 * 1024
    stale_after: timedelta = timedelta(minutes=5)


class PrometheusMetrics(Metrics):
    """The named Prometheus servers; construct inside the event loop. `observe` is told every answer's result: `Vector` or a reason."""

    def __init__(
        self,
        sources: Mapping[str, Source],
        clock: Clock,
        *,
        bounds: Bounds | None = None,
        observe: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._bounds = bounds or Bounds()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60), cookie_jar=aiohttp.DummyCookieJar()
        )
        self._sources = {name: _Server(name, source, self._session, self._bounds) for name, source in sources.items()}
        self._open = frozenset(name for name, source in sources.items() if source.allows_queries)
        self._clock = clock
        self._observe = observe
        self._asking: dict[Question, asyncio.Task[Answer]] = {}

    async def close(self) -> None:
        """Give up what is being asked and close the connections."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._session.close()

    @override
    def knows(self, source: str) -> bool:
        return source in self._sources

    @override
    def allows_queries(self, source: str) -> bool:
        return source in self._open

    @override
    async def ask(self, question: Question) -> Answer:
        task = self._asking.get(question)
        if task is None:
            task = asyncio.create_task(self._answer(question))
            self._asking[question] = task
            task.add_done_callback(lambda _: self._asking.pop(question, None))
        return await asyncio.shield(task)  # one who leaves must not take the answer away from the others

    async def _answer(self, question: Question) -> Answer:
        server = self._sources.get(question.source)
        if server is None:
            answer: Answer = NoData(NoDataReason.REFUSED, f"the administrator named no metrics source {question.source!r}")
        else:
            answer = self._fresh(await server.query(question.promql))
        self._observe(answer.reason.value if isinstance(answer, NoData) else "Vector")
        return answer

    def _fresh(self, answer: Answer) -> Answer:
        """Return the answer unless it is too old: a cache between us and Prometheus, or a clock that is wrong, shows here."""
        if isinstance(answer, Vector) and (age := self._clock.now() - answer.at) > self._bounds.stale_after:
            return NoData(NoDataReason.STALE, f"the newest sample is {age.total_seconds():.0f} s old")
        return answer


class _Server:
    """One Prometheus."""

    def __init__(self, name: str, source: Source, session: aiohttp.ClientSession, bounds: Bounds) -> None:
        url = URL(source.url)
        self._name = name
        self._headers = {"Accept": "application/json", "User-Agent": "retrainer"}
        if url.user:
            self._headers["Authorization"] = aiohttp.encode_basic_auth(url.user, url.password or "")
        self._url = url.with_user(None) / "api/v1/query"
        self._token = TokenFile(source.token_file) if source.token_file else None
        self._session = session
        self._bounds = bounds
        self._turns = asyncio.Semaphore(bounds.concurrent)

    async def query(self, promql: str) -> Answer:
        """Return the vector, or why there is none; raises nothing."""
        try:
            async with asyncio.timeout(self._bounds.timeout_s), self._turns:
                try:
                    return await self._query_once(promql)
                except aiohttp.ServerDisconnectedError:  # a kept connection that the server had just given up
                    return await self._query_once(promql)
        except TimeoutError:
            return NoData(NoDataReason.TIMEOUT, f"{self._name}: no answer within {self._bounds.timeout_s:g} s")
        except aiohttp.ClientConnectorError as error:
            return NoData(NoDataReason.UNREACHABLE, f"{self._name}: no connection: {why(error)}")
        except (aiohttp.ClientError, OSError) as error:
            return NoData(NoDataReason.UNREACHABLE, f"{self._name}: no answer: {type(error).__name__}")

    async def _query_once(self, promql: str) -> Answer:
        headers = self._headers
        if self._token:
            headers = headers | {"Authorization": f"Bearer {await self._token.read()}"}
        form = {"query": promql, "timeout": f"{self._bounds.timeout_s:g}s"}
        async with self._session.post(self._url, data=form, headers=headers, allow_redirects=False) as response:
            data = await self._read(response)
        if data is None:
            return NoData(NoDataReason.REFUSED, f"{self._name}: the answer is larger than {self._bounds.most_bytes} bytes")
        if response.status != 200:
            return refusal_of(self._name, response.status, data)
        return vector_of(self._name, data)

    async def _read(self, response: aiohttp.ClientResponse) -> bytes | None:
        """Return the body, unpacked; None when it is larger than allowed."""
        data = bytearray()
        async for chunk in response.content.iter_any():
            data += chunk
            if len(data) > self._bounds.most_bytes:
                response.close()
                return None
        return bytes(data)

"""Fakes of the ports, held to the same contract tests as the real adapters."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from typing_extensions import override

from retrainer.core.measurement import Answer, NoData, NoDataReason, Question, Vector
from retrainer.core.notice import Notice
from retrainer.core.observation import PolicySeen
from retrainer.ports import Clock, Key, Metrics, Notifier, Probe, Prober, World
from tests.fake_cluster import FakeApiServer, FakeCluster

__all__ = ["FakeApiServer", "FakeClock", "FakeCluster", "FakeMetrics", "FakeNotifier", "FakeProber", "FakeWorld"]


class FakeClock(Clock):
    """A clock that stands still until it is told to go on."""

    def __init__(self, start: datetime = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)) -> None:
        self.time = start

    @override
    def now(self) -> datetime:
        return self.time

    def advance(self, **duration: float) -> None:
        """Let time pass, in `timedelta`'s words: `advance(hours=2)`."""
        self.time += timedelta(**duration)


class FakeMetrics(Metrics):
    """Prometheus servers that answer what the test wrote into `answers`, an empty vector to everything else."""

    def __init__(self, answers: Mapping[Question, Answer] | None = None, sources: tuple[str, ...] = ("default",)) -> None:
        self.answers: dict[Question, Answer] = dict(answers or {})
        self.sources = set(sources)
        self.open = False
        self.asked: list[Question] = []
        self.began = asyncio.Event()
        self.takes_s = 0.0
        self.under_way = self.most_under_way = 0

    @override
    def knows(self, source: str) -> bool:
        return source in self.sources

    @override
    def allows_queries(self, source: str) -> bool:
        return self.open and self.knows(source)

    @override
    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        self.began.set()
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        await asyncio.sleep(self.takes_s)
        self.under_way -= 1
        if not self.knows(question.source):
            return NoData(NoDataReason.REFUSED, f"the administrator named no metrics source {question.source!r}")
        answer = self.answers.get(question, NoData(NoDataReason.EMPTY, f"{question.source}: no series"))
        assert isinstance(answer, NoData) or _is_promised(answer), "a real adapter never gives such a vector"
        return answer


def _is_promised(vector: Vector) -> bool:
    return bool(vector.series) and all(abs(one.value) < float("inf") for one in vector.series)


class FakeWorld(World):
    """Caches that hold policies and nothing else."""

    def __init__(self, *policies: PolicySeen) -> None:
        self._policies = {policy.identity.key: policy for policy in policies}
        self.broken = False

    def put(self, policy: PolicySeen) -> None:
        """Have the watch bring a policy."""
        self._policies[policy.identity.key] = policy

    def remove(self, key: Key) -> None:
        """Have the watch bring a policy's end."""
        del self._policies[key]

    @override
    def keys(self) -> list[Key]:
        if self.broken:
            raise RuntimeError("a cache that fails")
        return list(self._policies)

    @override
    def policy(self, key: Key) -> PolicySeen | None:
        return self._policies.get(key)


class FakeNotifier(Notifier):
    """Keeps what it was told; it knows the names in `names`."""

    def __init__(self, *names: str) -> None:
        self.names = set(names)
        self.told: list[Notice] = []

    @override
    def knows(self, name: str) -> bool:
        return name in self.names

    @override
    def tell(self, notice: Notice) -> None:
        self.told.append(notice)


class FakeProber(Prober):
    """Pods and Services that answer what the test wrote into `answers`, and nobody at any other address."""

    def __init__(self, answers: Mapping[str, Probe] | None = None, texts: Mapping[str, str] | None = None) -> None:
        self.answers: dict[str, Probe] = dict(answers or {})
        self.texts: dict[str, str] = dict(texts or {})
        self.asked: list[tuple[str, str | None]] = []

    @override
    async def probe(self, url: str, body: str | None, timeout_s: float, expected: str = "") -> Probe:
        self.asked.append((url, body))
        answer = self.answers.get(url, Probe(0, "no connection: Connection refused"))
        return replace(answer, named=bool(expected) and expected in self.texts.get(url, ""))

"""Fakes of the ports, held to the same contract tests as the real adapters."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from typing_extensions import override

from retrainer.core.measurement import Answer, NoData, NoDataReason, Question, Vector
from retrainer.ports import Clock, Metrics, Probe, Prober
from tests.fake_cluster import FakeApiServer, FakeCluster

__all__ = ["FakeApiServer", "FakeClock", "FakeCluster", "FakeMetrics", "FakeProber"]


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
        self.asked: list[Question] = []

    @override
    def knows(self, source: str) -> bool:
        return source in self.sources

    @override
    async def ask(self, question: Question) -> Answer:
        self.asked.append(question)
        if not self.knows(question.source):
            return NoData(NoDataReason.REFUSED, f"the administrator named no metrics source {question.source!r}")
        answer = self.answers.get(question, NoData(NoDataReason.EMPTY, f"{question.source}: no series"))
        assert isinstance(answer, NoData) or _is_promised(answer), "a real adapter never gives such a vector"
        return answer


def _is_promised(vector: Vector) -> bool:
    return bool(vector.series) and all(abs(one.value) < float("inf") for one in vector.series)


class FakeProber(Prober):
    """Pods and Services that answer what the test wrote into `answers`, and nobody at any other address."""

    def __init__(self, answers: Mapping[str, Probe] | None = None) -> None:
        self.answers: dict[str, Probe] = dict(answers or {})
        self.asked: list[tuple[str, str | None]] = []

    @override
    async def probe(self, url: str, body: str | None, timeout_s: float) -> Probe:
        self.asked.append((url, body))
        return self.answers.get(url, Probe(0, "no connection: Connection refused"))

"""Prometheus' API over made-up figures: for each namespace, what the presets of the metrics contract come to for each version."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from aiohttp import web

from retrainer.server import Listener

_NAMESPACE: Final = re.compile(r'namespace="([^"]+)"')


@dataclass(frozen=True, slots=True)
class Figures:
    """One version's figures over any window."""

    requests: float = 1000.0
    errors: float = 0.0
    outcomes: float = 1000.0
    correct: float = 900.0
    confidence: float = 0.9
    latency_s: float = 0.02
    feature_psi: float = 0.02
    prediction_psi: float = 0.02
    columns: tuple[tuple[str, str], ...] = ()
    """Columns of the training table that differ, each with how."""
    accepted: bool = True


@dataclass(slots=True)
class LiveFigures:
    """The figures of one namespace: `of(version)` for each version that `versions()` names, or None where there are none."""

    versions: Callable[[], Collection[str]]
    of: Callable[[str], Figures | None] = lambda _: Figures()
    model_type: str = "churn_risk"
    asked: list[str] = field(default_factory=list)
    """The questions about this namespace alone, in PromQL."""

    def answer(self, promql: str) -> Iterator[tuple[Mapping[str, str], float]]:
        """Yield the series of each version: labels and value."""
        figures = {version: found for version in self.versions() if (found := self.of(version)) is not None}
        for version, its in figures.items():
            labels = {"model_type": self.model_type, "model_version": version}
            if "retrainer_schema_change" in promql:
                yield from (({**labels, "column": column, "change": change}, 1) for column, change in its.columns)
            elif "retrainer_feature_psi" in promql:
                yield {**labels, "feature": "member_age"}, its.feature_psi
            else:
                yield labels, _value(promql, its)


class FakePrometheus:
    """One server for all namespaces; a namespace that nobody plays has no series. A question that names none is about all."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/api/v1/query", self._query)
        self._listener = Listener(app, 0, "127.0.0.1")
        self.figures: dict[str, LiveFigures] = {}
        self.asked: list[str] = []
        """The questions about all namespaces, in PromQL."""
        self.others: Callable[[str], list[float]] = lambda _: []
        """The values, one a series, of a query that is no preset's."""

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self._listener.port}"

    async def start(self) -> None:
        """Begin to answer."""
        await self._listener.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._listener.stop()

    async def _query(self, request: web.Request) -> web.Response:
        promql = str((await request.post())["query"])
        at = datetime.now(UTC).timestamp()
        result = [{"metric": labels, "value": [at, str(value)]} for labels, value in self._series(promql)]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})

    def _series(self, promql: str) -> Iterator[tuple[Mapping[str, str], float]]:
        if "retrainer_" not in promql:
            yield from (({}, value) for value in self.others(promql))
        elif found := _NAMESPACE.search(promql):
            if figures := self.figures.get(found.group(1)):
                figures.asked.append(promql)
                yield from figures.answer(promql)
        else:
            self.asked.append(promql)
            for namespace, figures in self.figures.items():
                yield from (({"namespace": namespace, **labels}, value) for labels, value in figures.answer(promql))


def _value(promql: str, its: Figures) -> float:
    """Return what a preset's question comes to: the first series it names decides."""
    if "retrainer_outcomes_total" in promql:
        return its.correct / its.outcomes if 'correct="true"' in promql else its.outcomes
    if "retrainer_prediction_errors_total" in promql:
        return its.errors / its.requests
    if "retrainer_prediction_confidence_sum" in promql:
        return its.confidence
    if "retrainer_prediction_seconds_bucket" in promql:
        return its.latency_s
    if "retrainer_prediction_psi" in promql:
        return its.prediction_psi
    if "retrainer_schema_accepted" in promql:
        return float(its.accepted)
    return its.requests

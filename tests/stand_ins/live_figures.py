"""Prometheus' API over made-up figures: for each namespace, what the presets of the metrics contract come to for each version."""

import re
from collections.abc import Callable, Collection, Mapping
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


@dataclass(slots=True)
class LiveFigures:
    """The figures of one namespace: `of(version)` for each version that `versions()` names, or None where there are none."""

    versions: Callable[[], Collection[str]]
    of: Callable[[str], Figures | None] = lambda _: Figures()
    asked: list[str] = field(default_factory=list)
    """The questions, in PromQL."""

    def answer(self, promql: str) -> Mapping[str, float]:
        """Return the value for each version."""
        self.asked.append(promql)
        figures = {version: found for version in self.versions() if (found := self.of(version)) is not None}
        return {version: _value(promql, its) for version, its in figures.items()}


class FakePrometheus:
    """One server for all namespaces; a namespace that nobody plays has no series."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/api/v1/query", self._query)
        self._listener = Listener(app, 0, "127.0.0.1")
        self.figures: dict[str, LiveFigures] = {}

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
        found = _NAMESPACE.search(promql)
        figures = self.figures.get(found.group(1)) if found else None
        values = figures.answer(promql) if figures else {}
        at = datetime.now(UTC).timestamp()
        result = [{"metric": {"model_version": version}, "value": [at, str(value)]} for version, value in values.items()]
        return web.json_response({"status": "success", "data": {"resultType": "vector", "result": result}})


def _value(promql: str, its: Figures) -> float:
    """Return what a preset's question comes to: the first series it names decides."""
    if "retrainer_outcomes_total" in promql:
        return its.correct if 'correct="true"' in promql else its.outcomes
    if "retrainer_prediction_errors_total" in promql:
        return its.errors
    if "retrainer_prediction_confidence_sum" in promql:
        return its.confidence
    if "retrainer_prediction_seconds_bucket" in promql:
        return its.latency_s
    return its.requests

"""What servers and monitors export, made up, for a real Prometheus to scrape: at each scrape counters grow by a version's figures."""

import asyncio
from collections.abc import Iterator, Mapping

from aiohttp import web

from retrainer.server import Listener
from tests.stand_ins.live_figures import Figures, LiveFigures


class Exporter:
    """One target for all namespaces; a namespace nobody plays has no series. A further model of one is played under `namespace/name`."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        self._listener = Listener(app, 0, "127.0.0.1")
        self._totals: dict[tuple[str, str, str], dict[str, float]] = {}
        self.figures: dict[str, LiveFigures] = {}
        self.scrapes = 0
        self._scraped = asyncio.Event()

    @property
    def target(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._listener.port}"

    async def start(self) -> None:
        """Begin to answer."""
        await self._listener.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._listener.stop()

    async def until_scraped(self, times: int) -> None:
        """Return after so many more scrapes."""
        for _ in range(times):
            await self._scraped.wait()

    async def _metrics(self, _: web.Request) -> web.Response:
        self.scrapes += 1
        self._scraped.set()
        self._scraped = asyncio.Event()
        lines = [line for namespace, figures in self.figures.items() for line in self._lines(namespace, figures)]
        return web.Response(text="\n".join([*lines, ""]))

    def _lines(self, namespace: str, figures: LiveFigures) -> Iterator[str]:
        for version in figures.versions():
            its = figures.of(version)
            if its is None:
                continue
            labels = {"namespace": namespace.partition("/")[0], "model_type": figures.model_type, "model_version": version}
            totals = self._totals.setdefault((namespace, figures.model_type, version), {})
            for name, labels_more, grows in _counters(its):
                key = f"{name}{labels_more}"
                totals[key] = totals[key] + grows if key in totals else 0.0  # as a counter that is there from the start
                yield _line(name, labels | labels_more, totals[key])
            yield _line("retrainer_prediction_psi", labels, its.prediction_psi)
            yield _line("retrainer_schema_accepted", labels, float(its.accepted))
            for column, change in its.columns:
                yield _line("retrainer_schema_change", labels | {"column": column, "change": change}, 1.0)


def _counters(its: Figures) -> Iterator[tuple[str, Mapping[str, str], float]]:
    yield "retrainer_outcomes_total", {"correct": "true"}, its.correct
    yield "retrainer_outcomes_total", {"correct": "false"}, its.outcomes - its.correct
    yield "retrainer_predictions_total", {}, its.requests
    yield "retrainer_prediction_errors_total", {}, its.errors
    yield "retrainer_prediction_confidence_sum", {}, its.confidence * its.requests
    yield "retrainer_prediction_confidence_count", {}, its.requests


def _line(name: str, labels: Mapping[str, str], value: float) -> str:
    told = ",".join(f'{label}="{given}"' for label, given in labels.items())
    return f"{name}{{{told}}} {value}"

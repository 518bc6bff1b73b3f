"""What the monitor shows Prometheus: the evidence of the last round, while it is fresh."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from typing_extensions import override

from trainer.monitor import series
from trainer.monitor.drift import Drift
from trainer.monitor.totals import Totals, Version
from trainer.monitor.training_table import TrainingTable


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one round measured; a part that could not be measured is empty."""

    totals: Mapping[Version, Totals] = field(default_factory=dict)
    drifts: Sequence[Drift] = ()
    tables: Sequence[TrainingTable] = ()


class Exposition(Collector):
    """Holds the evidence of the last round for as long as it is fresh.

    Stale evidence is worse than none: a value that stands still looks like a model that does. Once the database has not
    answered for `stale_seconds` only the time of its last answer is left, 0 if it never did.
    """

    def __init__(self, stale_seconds: float, clock: Callable[[], float]) -> None:
        self._stale_seconds = stale_seconds
        self._clock = clock
        self._evidence = Evidence()
        self._answered_at = 0.0
        self._model_types: frozenset[str] = frozenset()
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(self)

    def expects(self, model_types: frozenset[str]) -> None:
        """Note which model types there are policies for."""
        self._model_types = model_types

    def answered(self, evidence: Evidence) -> None:
        """Show this evidence from now on."""
        self._evidence = evidence
        self._answered_at = self._clock()

    def text(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self._registry)

    def series(self) -> Iterator[tuple[str, Mapping[str, str], float]]:
        """Yield each series: its name, its labels and its value."""
        for metric in self._registry.collect():
            for sample in metric.samples:
                yield sample.name, sample.labels, sample.value

    @override
    def collect(self) -> Iterator[Metric]:
        yield self._last_success()
        if self._clock() - self._answered_at <= self._stale_seconds:
            yield from series.totals(self._evidence.totals)
            yield from series.drifts(self._evidence.drifts)
            yield from series.tables(self._evidence.tables)

    def _last_success(self) -> Metric:
        family = GaugeMetricFamily(
            "retrainer_monitor_last_success_timestamp_seconds",
            "When the database last answered.",
            labels=series.LABELS[:1],
        )
        for model_type in sorted(self._model_types):
            family.add_metric((model_type,), self._answered_at)
        return family

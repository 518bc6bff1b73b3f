"""The server's rows of the metrics contract, and nothing more."""

from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest

# Fine where this server lives (0.2 ms), coarser up to the 100 ms that policies forbid and the seconds of a sick one.
SECONDS = (0.0001, 0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LABELS = ("model_type", "model_version")
CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4


class ServerMetrics:
    """The series of one served version; every counter is there from the start, so that its first increase is seen."""

    def __init__(self, model_type: str, model_version: str) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self._registry = CollectorRegistry(auto_describe=False)
        labels = (model_type, model_version)
        self._answered = Counter(
            "retrainer_predictions", "Answered prediction requests, errors included.", LABELS, registry=self._registry
        ).labels(*labels)
        self._errors = Counter(
            "retrainer_prediction_errors", "Prediction requests answered with 5xx.", LABELS, registry=self._registry
        ).labels(*labels)
        self._seconds = Histogram(
            "retrainer_prediction_seconds", "Time to answer.", LABELS, registry=self._registry, buckets=SECONDS
        ).labels(*labels)
        self._logs_dropped = Counter(
            "retrainer_prediction_logs_dropped",
            "Answers that could not be logged; the request was still answered.",
            LABELS,
            registry=self._registry,
        ).labels(*labels)

    def answered(self, status: int, seconds: float) -> None:
        """Count one answered prediction request."""
        self._answered.inc()
        self._seconds.observe(seconds)
        if status >= 500:  # noqa: PLR2004 - HTTP's server errors
            self._errors.inc()

    def logs_dropped(self, count: int) -> None:
        """Count answers that will never be logged."""
        self._logs_dropped.inc(count)

    def exposition(self) -> bytes:
        """Return all series in Prometheus' text format."""
        return generate_latest(self._registry)

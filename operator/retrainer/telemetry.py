"""What the operator tells about itself: metrics on a registry of its own, and one JSON object a log line."""

import json
import logging
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector
from typing_extensions import override

from retrainer.policy_figures import PolicyFigures
from retrainer.ports import Gauges
from retrainer.workqueue import Observer

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_POLICY = ("namespace", "policy")
_FIELDS = ("namespace", "policy", "run", "phase")
_USERINFO = re.compile(r"(\w://)[^/\s@]+@")


class Telemetry(Observer, Gauges):
    """The operator's metrics; `registry` is what `/metrics` shows."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        ProcessCollector(registry=registry)
        self._policies = PolicyFigures()
        registry.register(self._policies)
        self._rounds = Histogram(
            "retrainer_operator_reconcile_seconds", "How long a round took", ["result"], registry=registry, buckets=_SECONDS
        )
        self._errors = Counter("retrainer_operator_reconcile_errors", "Rounds that failed", ["reason"], registry=registry)
        self._depth = Gauge("retrainer_operator_workqueue_depth", "Keys that are due and have no round yet", registry=registry)
        self._latency = Histogram(
            "retrainer_operator_workqueue_latency_seconds", "From being due to the round's begin", registry=registry, buckets=_SECONDS
        )
        self._requests = Counter(
            "retrainer_operator_api_requests", "Requests to the API server", ["verb", "kind", "code"], registry=registry
        )
        self._queries = Counter("retrainer_operator_prometheus_queries", "Questions to Prometheus", ["result"], registry=registry)
        self._notices = Counter(
            "retrainer_operator_notices", "Notices to people, by what became of them", ["notifier", "result"], registry=registry
        )
        self._alerts = Counter("retrainer_operator_alerts", "Alerts received by the webhook", ["result"], registry=registry)
        self._runs = Counter("retrainer_runs", "Runs that ended", [*_POLICY, "outcome"], registry=registry)
        self._late = Histogram(
            "retrainer_operator_evaluation_lateness_seconds",
            "From when a cycle of evaluations was due to when it began",
            ["lane"],
            registry=registry,
            buckets=_SECONDS,
        )
        self._cycles = Histogram(
            "retrainer_operator_evaluation_seconds", "How long a cycle of evaluations took", ["lane"], registry=registry, buckets=_SECONDS
        )
        self._refusals = Counter(
            "retrainer_trigger_refusals",
            "Times a trigger that asked for a run was refused, by the reason in status.triggers",
            [*_POLICY, "trigger", "reason"],
            registry=registry,
        )
        self._rollback = Histogram(
            "retrainer_rollback_seconds",
            "From the failed verdict to the write that took the traffic back",
            registry=registry,
            buckets=_SECONDS,
        )

    @override
    def waiting(self, keys: int) -> None:
        self._depth.set(keys)

    @override
    def began(self, waited_s: float) -> None:
        self._latency.observe(waited_s)

    @override
    def ended(self, took_s: float, error: Exception | None) -> None:
        self._rounds.labels("error" if error else "success").observe(took_s)
        if error:
            self._errors.labels(type(error).__name__).inc()

    def count_request(self, verb: str, kind: str, code: str) -> None:
        """Count a request to the API server."""
        self._requests.labels(verb, kind, code).inc()

    def count_query(self, result: str) -> None:
        """Count a question to Prometheus by what came back: `Vector`, or why there is no data."""
        self._queries.labels(result).inc()

    def count_alerts(self, result: str, alerts: int) -> None:
        """Count the alerts of one notification by what became of it."""
        self._alerts.labels(result).inc(alerts)

    def count_notices(self, notifier: str, result: str, notices: int) -> None:
        """Count notices by what became of them: `Sent`, `Failed`, or `Dropped` because too many waited."""
        self._notices.labels(notifier, result).inc(notices)

    def show_policy(self, namespace: str, policy: str, *, ready: bool, candidate_weight: int) -> None:
        """Show a policy's state; the weight is in percent."""
        self._policies.show_policy((namespace, policy), ready=ready, candidate_weight=candidate_weight)

    def show_share(self, namespace: str, policy: str, share: float | None) -> None:
        """Show the share of the requests (0 to 1) that the candidate was seen to answer; None takes it away."""
        self._policies.show_share((namespace, policy), share)

    @override
    def cycled(self, lane: str, late_s: float, took_s: float) -> None:
        self._late.labels(lane).observe(late_s)
        self._cycles.labels(lane).observe(took_s)

    @override
    def show_value(self, key: tuple[str, str], trigger: str, value: float | None) -> None:
        self._policies.show_value(key, trigger, value)

    def show_triggers(self, namespace: str, policy: str, triggers: Mapping[str, tuple[str, str]]) -> None:
        """Show state and reason of each of a policy's triggers, as its status gives them."""
        self._policies.show_triggers((namespace, policy), triggers)

    def count_run(self, namespace: str, policy: str, outcome: str) -> None:
        """Count a run that ended."""
        self._runs.labels(namespace, policy, outcome).inc()

    def count_refusal(self, namespace: str, policy: str, trigger: str, reason: str) -> None:
        """Count a trigger's transition to being refused: once for as long as its reason stays the same, as the Event that tells of it."""
        self._refusals.labels(namespace, policy, trigger, reason).inc()

    def count_rollback(self, took_s: float) -> None:
        """Record the seconds from a failed verdict to the write that took the traffic back."""
        self._rollback.observe(took_s)

    def forget_policy(self, namespace: str, policy: str) -> None:
        """Take away the series of a policy that is gone."""
        self._policies.forget((namespace, policy))
        for metric in (self._runs, self._refusals):
            metric.remove_by_labels({"namespace": namespace, "policy": policy})


def without_credentials(text: str) -> str:
    """Return the text with user and password taken out of the URLs in it."""
    return _USERINFO.sub(r"\1", text)


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time (UTC), level, logger, message, the fields of `log_about`, and the exception."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {name: value for name in _FIELDS if (value := getattr(record, name, ""))}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return without_credentials(json.dumps(line, ensure_ascii=False, default=str))


class TextFormatter(logging.Formatter):
    """A line for a person at a terminal."""

    @override
    def format(self, record: logging.LogRecord) -> str:
        about = "/".join(str(value) for name in _FIELDS if (value := getattr(record, name, "")))
        line = super().format(record)
        return without_credentials(f"{line} [{about}]" if about else line)


def configure_logging(level: str, form: Literal["json", "text"]) -> None:
    """Send all logs and warnings of the process to stderr in the one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(True)


def log_about(
    logger: logging.Logger, namespace: str, policy: str, run: str = "", phase: str = ""
) -> "logging.LoggerAdapter[logging.Logger]":
    """Return a logger whose lines carry what they are about."""
    return logging.LoggerAdapter(logger, {"namespace": namespace, "policy": policy, "run": run, "phase": phase})

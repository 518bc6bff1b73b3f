"""The report as text: for a log, a message, a terminal."""

from collections.abc import Iterator
from typing import Any

from trainer.report.figures import Usage
from trainer.report.page import NOTHING, Report, milliseconds, model_types


def digest(report: Report) -> str:
    """Return some lines: anomalies first, then each version, then how the runs ended."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    period = report.figures.period
    since, until = (moment.astimezone(period.zone) for moment in (period.since, period.until))
    yield f"models of {report.namespace}, {since:%Y-%m-%d %H:%M} to {until:%Y-%m-%d %H:%M} {period.zone.key}"
    for anomaly in report.anomalies:
        yield f"{anomaly.severity.name}: {anomaly.subject}: {anomaly.sentence}"
    if not report.anomalies:
        yield "nothing unusual"
    for model_type in model_types(report):
        yield from _model(model_type, report)
    for story in report.runs or ():
        run = story.run
        yield f"run {run.name}: {run.outcome or story.phase}, {run.reason}: {run.message}"


def _model(model_type: str, report: Report) -> Iterator[str]:
    active = {each.version for each in report.figures.versions if each.model_type == model_type and each.is_active}
    for usage in report.figures.usage:
        if usage.model_type != model_type or usage.day is not None:
            continue
        accuracy = report.figures.accuracies.get((model_type, usage.model_version))
        told = f"{accuracy.ratio:.1%} of {accuracy.samples}" if accuracy else NOTHING
        confidence = NOTHING if usage.confidence is None else f"{usage.confidence:.2f}"
        champion = " (champion)" if usage.model_version in active else ""
        yield (
            f"{model_type} {usage.model_version}{champion}: {usage.predictions} predictions, {usage.users} users, "
            f"accuracy {told}, confidence {confidence}, latency {milliseconds(usage.latency_ms)}, "
            f"p95 {milliseconds(usage.latency_p95_ms)}"
        )


def document(report: Report, place: str | None) -> dict[str, Any]:
    """Return the same for machines; `page` is where the page is."""
    period = report.figures.period
    return {
        "namespace": report.namespace,
        "since": period.since.isoformat(),
        "until": period.until.isoformat(),
        "page": place,
        "anomalies": [
            {"severity": each.severity.name.lower(), "subject": each.subject, "message": each.sentence}
            for each in report.anomalies
        ],
        "versions": [_version(usage, report) for usage in report.figures.usage if usage.day is None],
        "runs": [
            {"run": story.run.name, "version": story.run.version, "state": story.run.outcome or story.phase}
            for story in report.runs or ()
        ],
    }


def _version(usage: Usage, report: Report) -> dict[str, Any]:
    accuracy = report.figures.accuracies.get((usage.model_type, usage.model_version))
    figures = {
        "modelType": usage.model_type,
        "modelVersion": usage.model_version,
        "predictions": usage.predictions,
        "users": usage.users,
        "confidence": usage.confidence,
        "latencyMs": usage.latency_ms,
        "latencyP95Ms": usage.latency_p95_ms,
    }
    if accuracy is None:
        return figures
    return figures | {
        "accuracy": accuracy.ratio,
        "accuracyLow": accuracy.low,
        "accuracyHigh": accuracy.high,
        "outcomes": accuracy.samples,
    }

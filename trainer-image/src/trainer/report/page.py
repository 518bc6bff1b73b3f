"""The page: what is to be shown, in the words and numbers in which it is shown."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from trainer.monitor.drift import Drift
from trainer.report.anomalies import HIGHEST_P95_MS, HIGHEST_PSI, LOWEST_CONFIDENCE, Anomaly
from trainer.report.charts import COLOURS, Bar, Line, Plot, index_bars, stacked
from trainer.report.checklist import checklist
from trainer.report.figures import Figures, Period, Usage
from trainer.report.story import PolicyStory, RunStory

NOTHING = "–"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one report tells; `runs` is None where policies and runs could not be read."""

    namespace: str
    figures: Figures
    anomalies: Sequence[Anomaly]
    policies: Sequence[PolicyStory]
    runs: Sequence[RunStory] | None


def page(report: Report) -> str:
    """Return the report as one HTML document that needs nothing else."""
    environment = Environment(
        loader=PackageLoader("trainer.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    period = report.figures.period
    return environment.get_template("page.html.j2").render(
        namespace=report.namespace,
        day=f"{_local(period.until, period):%d %B %Y}",
        since=_told(period.since, period),
        until=_told(period.until, period),
        zone=period.zone.key,
        anomalies=report.anomalies,
        models=[_model(model_type, report) for model_type in model_types(report)],
        runs=[_run(story, report) for story in report.runs or ()],
        knows_runs=report.runs is not None,
    )


def model_types(report: Report) -> list[str]:
    """Return the model types that the report tells of."""
    return sorted(
        {usage.model_type for usage in report.figures.usage}
        | {story.policy.model_type for story in report.policies}
        | {version.model_type for version in report.figures.versions}
    )


def _model(model_type: str, report: Report) -> dict[str, Any]:
    figures = report.figures
    usage = [each for each in figures.usage if each.model_type == model_type]
    versions = [each.model_version for each in usage if each.day is None]
    colours = {version: index % COLOURS for index, version in enumerate(versions)}
    story = next((story for story in report.policies if story.policy.model_type == model_type), None)
    active = next((each for each in figures.versions if each.model_type == model_type and each.is_active), None)
    since = story.policy.champion_since if story else None
    return {
        "model_type": model_type,
        "champion": active.version if active else None,
        "since": _told(since, figures.period) if since else None,
        "rows": [_row(each, colours[each.model_version], figures) for each in usage if each.day is None],
        "plots": list(_plots(model_type, usage, colours, figures, story)),
        "drifts": list(_drifts(model_type, figures.drifts)),
        "table": _table(model_type, figures),
        "ledger": _ledger(model_type, figures),
    }


def _row(usage: Usage, colour: int, figures: Figures) -> dict[str, Any]:
    accuracy = figures.accuracies.get((usage.model_type, usage.model_version))
    return {
        "version": usage.model_version,
        "colour": colour,
        "predictions": f"{usage.predictions:,}",
        "users": f"{usage.users or 0:,}",
        "confidence": NOTHING if usage.confidence is None else f"{usage.confidence:.3f}",
        "accuracy": f"{accuracy.ratio:.1%} ({accuracy.low:.1%} to {accuracy.high:.1%})" if accuracy else NOTHING,
        "outcomes": f"{accuracy.samples:,}" if accuracy else "0",
        "latency": milliseconds(usage.latency_ms),
        "latency_p95": milliseconds(usage.latency_p95_ms),
    }


def milliseconds(value: float | None) -> str:
    """Return a latency with two significant digits or whole milliseconds."""
    if value is None:
        return NOTHING
    return f"{value:.0f} ms" if value >= 10 else f"{value:.2g} ms"  # noqa: PLR2004


def _plots(
    model_type: str, usage: Sequence[Usage], colours: Mapping[str, int], figures: Figures, story: PolicyStory | None
) -> Iterator[dict[str, Any]]:
    days = _days(figures.period)
    by_day = {(each.model_version, each.day): each for each in usage}

    def lines(field: str, name: str = "{}", *, dashed: bool = False) -> list[Line]:
        return [
            Line(
                name.format(version),
                colour,
                [getattr(by_day.get((version, day)), field, None) for day in days],
                is_dashed=dashed,
            )
            for version, colour in colours.items()
        ]

    counts = [
        Bar(version, colour, [getattr(by_day.get((version, day)), "predictions", 0) for day in days])
        for version, colour in colours.items()
    ]
    key = list(colours.items())
    if not key:
        return
    yield {"title": "Predictions a day", "svg": Markup(stacked("Predictions a day", days, counts)), "key": key}  # noqa: S704
    target = (story.accuracy_min, f"target {story.accuracy_min:.0%}") if story and story.accuracy_min else None
    accuracy = Plot(
        "Accuracy by day of outcome, 95 % interval",
        days,
        [_accuracy_line(model_type, version, colour, days, figures) for version, colour in colours.items()],
        lambda value: f"{value:.0%}",
        limit=target,
        ceiling=1.0,
    )
    confidence = Plot(
        "Average confidence",
        days,
        lines("confidence"),
        lambda value: f"{value:.2f}",
        limit=(LOWEST_CONFIDENCE, f"at least {LOWEST_CONFIDENCE}"),
        ceiling=1.0,
    )
    slow = max((each.latency_p95_ms or 0.0 for each in usage), default=0.0) > HIGHEST_P95_MS / 4
    latency = Plot(
        "Latency: average, and 95th percentile (dashed)",
        days,
        [*lines("latency_ms", "{} average"), *lines("latency_p95_ms", "{} p95", dashed=True)],
        lambda value: f"{value:g} ms",
        limit=(HIGHEST_P95_MS, f"at most {HIGHEST_P95_MS:g} ms") if slow else None,
        floor=0.0,
    )
    for plot in (accuracy, confidence, latency):
        if not plot.is_empty:
            # What charts make of names and numbers is escaped there.
            yield {"title": plot.title, "svg": Markup(plot.svg()), "key": key}  # noqa: S704


def _accuracy_line(model_type: str, version: str, colour: int, days: Sequence[date], figures: Figures) -> Line:
    found = [figures.daily_accuracies.get(day, {}).get((model_type, version)) for day in days]
    values = [None if accuracy is None else accuracy.ratio for accuracy in found]
    return Line(version, colour, values, [None if each is None else (each.low, each.high) for each in found])


def _drifts(model_type: str, drifts: Sequence[Drift]) -> Iterator[dict[str, Any]]:
    for version in sorted({drift.version[1] for drift in drifts if drift.version[0] == model_type}, reverse=True):
        found = [drift for drift in drifts if drift.version == (model_type, version)]
        found.sort(key=lambda drift: -(drift.psi or 0.0))
        indices = [(drift.feature or "(predictions)", drift.psi) for drift in found if drift.psi is not None]
        if not indices:
            continue
        title = f"Population stability index, {version}"
        yield {
            "version": version,
            "svg": Markup(index_bars(title, indices, (HIGHEST_PSI / 2, HIGHEST_PSI))),  # noqa: S704 - escaped there
            "rows": [_drift_row(drift) for drift in found],
        }


def _drift_row(drift: Drift) -> dict[str, str]:
    names = {"ks": "Kolmogorov–Smirnov", "chi2": "χ²"}
    return {
        "feature": drift.feature or "(predictions)",
        "psi": NOTHING if drift.psi is None else f"{drift.psi:.3f}",
        "test": names[drift.test.test] if drift.test else NOTHING,
        "p_value": probability(drift.test.p_value) if drift.test else NOTHING,
        "missing": NOTHING if drift.missing is None else f"{drift.missing:.1%}",
    }


def probability(value: float) -> str:
    """Return a p-value with four decimals, which is more than anybody needs."""
    return f"{value:.4f}" if round(value, 4) else "< 0.0001"


def _table(model_type: str, figures: Figures) -> str:
    table = next((table for table in figures.tables if table.model_type == model_type), None)
    if table is None:
        return ""
    changes = ", ".join(f"{column} {change}" for column, change in table.changes.items())
    accepted = {True: "; the champion accepts them", False: "; the champion does not accept them", None: ""}
    return f"Training table: {table.rows:,} rows" + (
        f"; columns: {changes}{accepted[table.accepted]}" if changes else ""
    )


def _ledger(model_type: str, figures: Figures) -> list[dict[str, Any]]:
    return [
        {
            "at": _told(entry.at, figures.period),
            "version": entry.version,
            "what": f"{entry.event} {entry.weight} %" if entry.event == "Weighted" else entry.event,
            "reason": entry.reason,
            "message": entry.message,
            "run": entry.run,
        }
        for entry in reversed(figures.ledger)
        if entry.model_type == model_type
    ]


def _run(story: RunStory, report: Report) -> dict[str, Any]:
    run, period = story.run, report.figures.period
    recorded = next((each for each in report.figures.versions if each.version == run.version), None)
    answers = checklist(story, recorded)
    return {
        "name": run.name,
        "version": run.version,
        "state": run.outcome or story.phase,
        "created": _told(story.created, period),
        "trigger": run.trigger,
        "cause": run.cause,
        "message": run.message,
        "parts": [
            ("Before retraining", answers.before),
            ("During retraining", answers.during),
            ("After retraining", answers.after),
        ],
    }


def _days(period: Period) -> list[date]:
    first, last = _local(period.since, period).date(), _local(period.until, period).date()
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def _local(moment: datetime, period: Period) -> datetime:
    return moment.astimezone(period.zone)


def _told(moment: datetime, period: Period) -> str:
    return f"{_local(moment, period):%d %b %Y %H:%M}"

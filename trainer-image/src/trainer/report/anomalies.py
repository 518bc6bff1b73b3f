"""What is unusual about the period, the worst first: the guide's thresholds, the policies' own bounds, and chance."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

from trainer.monitor.drift import Drift
from trainer.monitor.training_table import TrainingTable
from trainer.report.figures import Accuracies, Figures, Usage
from trainer.report.story import PolicyStory, RunStory

# The guide's, for what no policy says of itself.
LOWEST_CONFIDENCE = 0.7
HIGHEST_P95_MS = 100.0
HIGHEST_PSI = 0.2
# Of all features of a version together, so that not every twentieth report cries wolf.
LEVEL = 0.01
# Conditions that are bad when they are not True, and those that are bad when they are.
_GOOD, _BAD = frozenset({"Ready", "Serving", "DataQuality"}), frozenset({"Stalled", "Degraded", "CircuitOpen"})
_ENDS = {"RolledBack": "was rolled back", "TrainingFailed": "failed", "GateRejected": "was rejected by its gate"}


class Severity(IntEnum):
    """How soon a person should look; the larger the sooner."""

    INFO = 1
    WARNING = 2
    CRITICAL = 3


@dataclass(frozen=True, slots=True)
class Anomaly:
    """One sentence about one subject: a model type, a version, or a run."""

    severity: Severity
    subject: str
    sentence: str


def anomalies(figures: Figures, policies: Sequence[PolicyStory], runs: Sequence[RunStory]) -> list[Anomaly]:
    """Return what is unusual, the most severe first. What a version did that serves no more is told by its run."""
    stories = {story.policy.model_type: story for story in policies}
    live = {(story.policy.model_type, version) for story in policies for version in story.policy.live} or {
        (version.model_type, version.version) for version in figures.versions if version.is_active
    }
    found = [
        *_of_policies(policies, figures),
        *_of_accuracies({version: each for version, each in figures.accuracies.items() if version in live}, stories),
        *_of_usage([usage for usage in figures.usage if (usage.model_type, usage.model_version) in live]),
        *_of_drifts([drift for drift in figures.drifts if drift.version in live], stories),
        *_of_tables(figures.tables),
        *_of_runs(runs),
    ]
    return sorted(found, key=lambda anomaly: (-anomaly.severity, anomaly.subject))


def _of_policies(policies: Sequence[PolicyStory], figures: Figures) -> Iterator[Anomaly]:
    asked = {(usage.model_type, usage.model_version) for usage in figures.usage}
    for story in policies:
        policy = story.policy
        for kind, status, _, message in story.conditions:
            if (kind in _GOOD and status == "False") or (kind in _BAD and status == "True"):
                severity = Severity.WARNING if kind == "DataQuality" else Severity.CRITICAL
                yield Anomaly(severity, policy.name, f"{kind} is {status}: {message}")
        if policy.champion and (policy.model_type, policy.champion) not in asked:
            yield Anomaly(Severity.WARNING, policy.model_type, f"{policy.champion} serves and no prediction was logged")


def _of_accuracies(accuracies: Accuracies, stories: Mapping[str, PolicyStory]) -> Iterator[Anomaly]:
    for (model_type, version), accuracy in accuracies.items():
        story = stories.get(model_type)
        wanted = story.accuracy_min if story else None
        if wanted is None or accuracy.ratio >= wanted:
            continue
        surely = accuracy.high < wanted
        told = f"{version} was right in {accuracy.ratio:.1%} of {accuracy.samples} outcomes, {wanted:.0%} are wanted"
        end = "" if surely else f"; chance may explain it ({accuracy.low:.1%} to {accuracy.high:.1%})"
        yield Anomaly(Severity.CRITICAL if surely else Severity.WARNING, model_type, told + end)


def _of_usage(usage: Sequence[Usage]) -> Iterator[Anomaly]:
    for each in usage:
        if each.day is not None:
            continue
        if each.confidence is not None and each.confidence < LOWEST_CONFIDENCE:
            told = f"{each.model_version}: average confidence {each.confidence:.2f}, below {LOWEST_CONFIDENCE}"
            yield Anomaly(Severity.WARNING, each.model_type, told)
        if each.latency_p95_ms is not None and each.latency_p95_ms > HIGHEST_P95_MS:
            told = f"95 % of answers take up to {each.latency_p95_ms:.0f} ms, above {HIGHEST_P95_MS:.0f}"
            yield Anomaly(Severity.WARNING, each.model_type, f"{each.model_version}: {told}")


def _of_drifts(drifts: Sequence[Drift], stories: Mapping[str, PolicyStory]) -> Iterator[Anomaly]:
    features: dict[tuple[str, str], int] = {}
    for drift in drifts:
        features[drift.version] = features.get(drift.version, 0) + 1
    for drift in drifts:
        model_type, version = drift.version
        story, name = stories.get(model_type), drift.feature or "the predictions"
        level = LEVEL / features[drift.version]
        if drift.psi is not None and drift.psi > HIGHEST_PSI and (drift.test is None or drift.test.p_value < level):
            told = f"{version}: {name} drifted from the training reference, index {drift.psi:.2f}"
            yield Anomaly(Severity.WARNING, model_type, told)
        if story and drift.missing is not None and drift.missing > story.missing_max:
            told = f"{version}: {name} is missing in {drift.missing:.0%} of recent predictions"
            yield Anomaly(Severity.WARNING, model_type, told)


def _of_tables(tables: Sequence[TrainingTable]) -> Iterator[Anomaly]:
    for table in tables:
        if table.accepted is False:
            told = f"the training table lacks a feature of {table.champion}: the gate could not compare it"
            yield Anomaly(Severity.CRITICAL, table.model_type, told)
        if table.changes:
            changes = ", ".join(f"{column} {change}" for column, change in table.changes.items())
            told = f"columns of the training table differ from what {table.champion} learnt from: {changes}"
            yield Anomaly(Severity.INFO, table.model_type, told)


def _of_runs(runs: Sequence[RunStory]) -> Iterator[Anomaly]:
    for story in runs:
        run = story.run
        if run.outcome in _ENDS:
            yield Anomaly(Severity.WARNING, run.name, f"{run.version} {_ENDS[run.outcome]}: {run.message}")
        elif run.outcome == "DataRejected" or (run.outcome is None and story.reasoned("DataRejected")):
            yield Anomaly(Severity.WARNING, run.name, f"its data was rejected: {run.message}")

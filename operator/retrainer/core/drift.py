"""What the live figures say of the champion: two conditions, and the baselines that are frozen for it."""

from collections.abc import Mapping
from datetime import timedelta

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.baseline import Baseline
from retrainer.api.v1alpha1.policy_status import TriggerStatus, VersionStatus
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core.measurement import NoDataReason
from retrainer.core.observation import Observation
from retrainer.core.triggers.evaluation import NOT_ASKED, SCHEMA_CHANGED, THRESHOLD_CROSSED
from retrainer.core.triggers.metric import Rule, rule_of

Told = tuple[bool | None, str, str]
_NO_DATA = frozenset(reason.value for reason in NoDataReason)


def figures_told(seen: Observation, triggers: tuple[TriggerStatus, ...]) -> tuple[tuple[str, Told], ...]:
    """Return the two conditions of a policy that looks at live figures, each with whether it holds, reason and sentence."""
    if not any(_looks(trigger) for trigger in seen.policy.spec.triggers):
        return ()
    return ("DriftDetected", drift_detected(seen, triggers)), ("MetricsAvailable", metrics_available(seen, triggers))


def drift_detected(seen: Observation, triggers: tuple[TriggerStatus, ...]) -> Told:
    """Return whether any trigger sees the champion beyond its bound for long enough, or its schema changed; reason and sentence."""
    watching = _looking(seen, triggers)
    schemas = {trigger.name for trigger in seen.policy.spec.triggers if trigger.schema_ is not None}
    for status in watching:
        if status.episode is not None and status.state != "Pending":
            reason = SCHEMA_CHANGED if status.name in schemas else THRESHOLD_CROSSED
            return True, reason, f"{status.name}: {status.message}"
    silent = next((status for status in watching if status.state == "Unknown"), None)
    if silent is not None and all(status.state == "Unknown" for status in watching):
        return None, silent.reason, f"{silent.name}: {silent.message}"
    return False, "NoDrift", "no figure is beyond its bound, and no column has changed"


def metrics_available(seen: Observation, triggers: tuple[TriggerStatus, ...]) -> Told:
    """Return whether Prometheus answers every metric and schema trigger; reason and sentence of the first that it leaves without data."""
    watching = _looking(seen, triggers)
    lacking = next((status for status in watching if status.reason in _NO_DATA), None)
    if lacking is not None:
        return False, lacking.reason, f"{lacking.name}: {lacking.message}"
    waiting = next((status for status in watching if status.reason == NOT_ASKED), None)
    if waiting is not None:
        return None, waiting.reason, f"{waiting.name}: {waiting.message}"
    return True, "Answered", f"Prometheus {seen.policy.spec.metrics_source} answers every trigger that asks it"


def baseline_of(champion: VersionStatus | None, rule: Rule) -> float | None:
    """Return the champion's frozen figure that a rule counts from; None until it is taken, anew when the rule asks another figure."""
    frozen = champion.baseline if champion is not None else ()
    return next((one.value for one in frozen if (one.trigger, one.figure) == (rule.name, rule.of)), None)


def with_baselines(champion: VersionStatus | None, seen: Observation) -> VersionStatus | None:
    """Return the champion with the figures that were just taken as its baselines; one that it has is never taken again."""
    if champion is None:
        return None
    frozen: list[Baseline] = []
    for rule in [rule_of(trigger, 0.0) for trigger in seen.policy.spec.triggers if trigger.metric is not None]:
        known = next((one for one in champion.baseline if (one.trigger, one.figure) == (rule.name, rule.of)), None)
        taken = known or _taken(rule, champion, seen)
        frozen += [taken] if taken else []
    baselines = tuple(frozen)
    return champion if baselines == champion.baseline else champion.model_copy(update={"baseline": baselines})


def on_record(
    runs: Mapping[str, ModelRetrainRunStatus], champion: VersionStatus | None, seen: Observation
) -> dict[str, ModelRetrainRunStatus]:
    """Return the runs, the latest that brought the champion with its baselines: the policy forgets them once another two have served."""
    told = dict(runs)
    latest = next((run.name for run in reversed(seen.runs) if champion and runs[run.name].version == champion.version), None)
    if latest is not None and champion is not None and champion.baseline:
        told[latest] = runs[latest].model_copy(update={"baseline": champion.baseline})
    return told


def baselines_on_record(runs: Mapping[str, ModelRetrainRunStatus], version: str) -> tuple[Baseline, ...]:
    """Return the baselines that a version's runs have on record."""
    return next((one.baseline for one in runs.values() if one.version == version and one.baseline), ())


def _taken(rule: Rule, champion: VersionStatus, seen: Observation) -> Baseline | None:
    found = seen.evaluations.get(rule.name)
    if found is None or not found.takes_baseline or found.figure is None or found.memory.version != champion.version:
        return None
    figure, began = found.figure, seen.now - timedelta(seconds=rule.window_s)
    return Baseline(trigger=rule.name, figure=rule.of, value=figure.value, samples=figure.samples or 0, from_=began, to=seen.now)


def _looking(seen: Observation, triggers: tuple[TriggerStatus, ...]) -> list[TriggerStatus]:
    names = {trigger.name for trigger in seen.policy.spec.triggers if _looks(trigger)}
    return [status for status in triggers if status.name in names]


def _looks(trigger: Trigger) -> bool:
    return trigger.metric is not None or trigger.schema_ is not None

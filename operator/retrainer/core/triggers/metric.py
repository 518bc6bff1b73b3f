"""The metric trigger: a live figure of the champion beyond its bound, for long enough.

`evaluate` is all that is decided, and it is pure: a rule, a measurement, the evaluation before, and the time come to the next evaluation.
The operator feeds it with what Prometheus says now (`evaluation.py`), a backtest with what it said then. `look` tells arbitration.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from math import isclose

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.metric_trigger import DEFAULT_MIN_SAMPLES, DEFAULT_WINDOW
from retrainer.api.v1alpha1.policy_status import TriggerStatus, VersionStatus
from retrainer.api.v1alpha1.run import Evidence
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core.measurement import Counts, Measurement, NoData, Value
from retrainer.core.observation import Observation
from retrainer.core.presets import PRESETS, Preset
from retrainer.core.triggers.evaluation import (
    ASKED_FIRST,
    NOT_ASKED,
    PENDING,
    THRESHOLD_CROSSED,
    TOO_FEW_SAMPLES,
    WAITING_FOR_BASELINE,
    WITHIN_BOUNDS,
    Evaluation,
    Figure,
    Memory,
    unheard,
)
from retrainer.core.triggers.finding import Finding


@dataclass(frozen=True, slots=True)
class Rule:
    """A metric trigger as numbers: durations in seconds, the bound in the preset's unit."""

    name: str
    preset: Preset | None
    """None for a query."""
    limit: float
    is_floor: bool
    """Whether the figure must not fall below the bound, or not rise above it."""
    is_relative: bool
    """Whether the bound counts from the champion's baseline."""
    margin: float
    window_s: int
    min_samples: float
    for_s: float

    @property
    def told(self) -> str:
        """What the figure is called in a sentence."""
        return self.preset.name if self.preset else "the query"

    @property
    def of(self) -> str:
        """What a baseline is of: another preset or window is another figure."""
        return f"{self.told} over {self.window_s} s"


def bound_of(rule: Rule, baseline: float | None) -> float | None:
    """Return the bound itself, in the preset's unit; None where it counts from a baseline that is not frozen yet."""
    if not rule.is_relative:
        return rule.limit
    return None if baseline is None else baseline - rule.limit if rule.is_floor else baseline + rule.limit


def rule_of(trigger: Trigger, reset_margin: float) -> Rule:
    """Return the rule of a metric trigger; `reset_margin` is the policy's."""
    metric = trigger.metric
    assert metric is not None
    bounds = ((metric.min, True, False), (metric.max, False, False), (metric.max_drop, True, True), (metric.max_rise, False, True))
    limit, is_floor, is_relative = next((value, floor, relative) for value, floor, relative in bounds if value is not None)
    return Rule(
        name=trigger.name,
        preset=PRESETS[metric.preset] if metric.preset else None,
        limit=limit,
        is_floor=is_floor,
        is_relative=is_relative,
        margin=reset_margin,
        window_s=max(1, int(seconds(metric.window or DEFAULT_WINDOW))),
        min_samples=(metric.min_samples or DEFAULT_MIN_SAMPLES) if metric.preset else 0,
        for_s=seconds(metric.for_),
    )


def evaluate(
    rule: Rule, measured: Measurement, version: str, baseline: float | None, before: Evaluation | None, now: datetime
) -> Evaluation:
    """Return what a measurement of the champion `version` comes to at `now`; `baseline` is that version's own, None until it is frozen.

    A figure of another champion begins anew; that of a query goes on, as it is not told apart by version.
    """
    before = _carried_over(rule, before or ASKED_FIRST, version)
    if isinstance(measured, NoData):
        return unheard(before, measured.reason, measured.message, now, rule.for_s)
    value = measured.ratio if isinstance(measured, Counts) else measured.value
    samples = (measured.total if isinstance(measured, Counts) else measured.samples) if rule.preset else None
    if samples is not None and samples < rule.min_samples:
        reason = WAITING_FOR_BASELINE if rule.is_relative and baseline is None else TOO_FEW_SAMPLES
        return unheard(before, reason, f"{rule.told}: {samples:.0f} of {rule.min_samples:g} samples of {version}", now, rule.for_s)
    if rule.is_relative and baseline is None:
        told = f"{rule.told} {value:.4g} of {samples or 0:.0f} samples becomes the baseline of {version}"
        return Evaluation(WAITING_FOR_BASELINE, told, Memory(version), Figure(value, None, samples), takes_baseline=True)
    of = f" ({measured.of})" if isinstance(measured, Value) and measured.of else ""
    return _held(rule, Figure(value, bound_of(rule, baseline), samples), of, before.memory, now)


def look(trigger: Trigger, seen: Observation) -> list[Finding]:
    """Return what the latest evaluation says; it asks for a run once its episode is on record, so that no crash starts a second one."""
    found = seen.evaluations.get(trigger.name, ASKED_FIRST)
    champion = seen.policy.status.champion
    if found.reason == NOT_ASKED or found.memory.version != (champion.version if champion else ""):
        return [Finding(trigger.name, NOT_ASKED, ASKED_FIRST.message, state="Unknown")]
    episode = found.memory.episode
    on_record = episode if found.memory.firing or found.state == "Pending" else None
    told = Finding(trigger.name, found.reason, found.message, state=found.state, episode=on_record, figure=found.figure)
    if not found.asks or episode is None:
        return [told]
    if episode in _used(trigger, seen):
        return [replace(told, reason="AlreadyHandled", message=f"the episode since {_at(episode)} has had its run", state="Armed")]
    if champion is not None and champion.since is not None and episode < champion.since:
        message = f"{found.message}, since {_at(episode)}, before {champion.version} was promoted"
        return [replace(told, reason="EvidencePredatesChampion", message=message, state="Refused")]
    before = _status(trigger, seen)
    if before is None or before.episode != episode:
        return [replace(told, look_again_in=0.0)]
    return [replace(told, evidence=_evidence(trigger, found, episode))]


def is_over(evidence: Evidence, trigger: Trigger, version: str, seen: Observation) -> bool | None:
    """Say whether the figure of a champion is within its bound; None where it has not been asked on samples enough of this version.

    What has dropped or risen counts from the version's own baseline by now, which it can hardly miss: it is over once the figure is back
    within the bound that it had passed.
    """
    found, rule = seen.evaluations.get(trigger.name, ASKED_FIRST), rule_of(trigger, 0.0)
    if found.memory.version != version:
        return None
    if rule.is_relative and evidence.threshold is not None:
        return not _passes(rule, found.figure.value, evidence.threshold) if found.figure is not None else None
    return {WITHIN_BOUNDS: True, THRESHOLD_CROSSED: False}.get(found.reason)


def remembered(status: TriggerStatus, champion: VersionStatus, rule: Rule | None, baseline: float | None) -> Evaluation | None:
    """Return what a trigger's status still knows of its episode after a restart; `rule` is None for a schema.

    None where there is no episode, where it was another champion's, or where the bound was edited since.
    """
    is_query, bound = rule is not None and rule.preset is None, bound_of(rule, baseline) if rule is not None else None
    predates = champion.since is not None and status.episode is not None and status.episode < champion.since
    edited = bound is not None and status.threshold is not None and not isclose(status.threshold, bound)
    if status.episode is None or (predates and not is_query) or edited:
        return None
    firing = status.state != "Pending"
    return replace(ASKED_FIRST, memory=Memory(champion.version, status.episode, firing=firing))


def _carried_over(rule: Rule, before: Evaluation, version: str) -> Evaluation:
    if before.memory.version == version:
        return before
    memory = Memory(version) if rule.preset else replace(before.memory, version=version)
    return replace(ASKED_FIRST, memory=memory)


def _held(rule: Rule, figure: Figure, of: str, memory: Memory, now: datetime) -> Evaluation:
    """A figure passes its bound at the threshold, and is back inside only beyond the margin: in between all stays as it was."""
    assert figure.threshold is not None
    passed = _passes(rule, figure.value, figure.threshold)
    if not passed and (memory.episode is None or _is_well_inside(rule, figure.value, figure.threshold)):
        side = "at least" if rule.is_floor else "at most"
        told = f"{rule.told}{of} is {figure.value:.4g}, {side} {figure.threshold:.4g} is asked"
        return Evaluation(WITHIN_BOUNDS, told, Memory(memory.version, seen_at=now), figure)
    held_s = memory.held_s + ((now - memory.seen_at).total_seconds() if memory.seen_at and memory.episode else 0.0)
    firing = memory.firing or (passed and held_s >= rule.for_s)
    after = Memory(memory.version, memory.episode or now, held_s, firing, seen_at=now, proof=figure if passed else memory.proof)
    told = f"{rule.told}{of} is {figure.value:.4g}, {'below' if rule.is_floor else 'above'} {figure.threshold:.4g}"
    if not passed:
        told = f"{rule.told}{of} is {figure.value:.4g}, back within {figure.threshold:.4g} but not by the reset margin"
    if firing:
        return Evaluation(THRESHOLD_CROSSED, told, after, figure)
    return Evaluation(PENDING, f"{told}, for less than {rule.for_s:g} s", after, figure)


def _passes(rule: Rule, value: float, threshold: float) -> bool:
    return value < threshold if rule.is_floor else value > threshold


def _is_well_inside(rule: Rule, value: float, threshold: float) -> bool:
    """The margin is a fraction of the bound; of what is left to the best figure there can be, never more than half."""
    margin = rule.margin * abs(rule.limit)
    best = rule.preset.best if rule.preset else None
    if best is not None:
        margin = min(margin, abs(best - threshold) / 2)
    return value >= threshold + margin if rule.is_floor else value <= threshold - margin


def _used(trigger: Trigger, seen: Observation) -> frozenset[datetime]:
    used = {item.starts_at for run in seen.runs for item in (*run.spec.evidence, *run.status.evidence) if item.trigger == trigger.name}
    status = _status(trigger, seen)
    return frozenset(used | ({status.last_slot} if status and status.last_slot else set()))


def _status(trigger: Trigger, seen: Observation) -> TriggerStatus | None:
    return next((status for status in seen.policy.status.triggers if status.name == trigger.name), None)


def _evidence(trigger: Trigger, found: Evaluation, episode: datetime) -> Evidence:
    figure = found.memory.proof
    return Evidence(
        trigger=trigger.name,
        starts_at=episode,
        message=cut(found.message),
        value=figure.value if figure else None,
        threshold=figure.threshold if figure else None,
        samples=figure.samples if figure else None,
    )


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"

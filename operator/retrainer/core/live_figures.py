"""What a rollout metric asks of Prometheus, and which figures the answers give of the candidate and of whom it is compared with."""

import re
from datetime import datetime
from typing import Final

from retrainer.api.v1alpha1.rollout_metric import RolloutMetric
from retrainer.api.v1alpha1.run_status import Analysis, Phase
from retrainer.core.fleet import single
from retrainer.core.measurement import Answer, Counts, Measurement, Question, Value
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.presets import PRESETS, measurement, questions, window_of

_PLACE: Final = re.compile(r"\{\{\s*(candidate|champion|window)\s*\}\}")


def names_champion(query: str) -> bool:
    """Say whether a query asks for the champion's figures too."""
    return any(found.group(1) == "champion" for found in _PLACE.finditer(query))


def questions_of(metric: RolloutMetric, policy: PolicySeen, run: RunSeen, analysis: Analysis, now: datetime) -> tuple[Question, ...]:
    """Return what a metric asks over the time since the step, or the watch, began: a preset two questions, a query one."""
    window, spec = window_of(analysis.since, now), policy.spec
    if metric.preset is not None:
        return questions(PRESETS[metric.preset], spec.metrics_source, policy.identity.namespace, spec.model_type, window)
    champion = run.status.frozen.champion if run.status.frozen else None
    # Versions are names of Kubernetes: neither can end a string of PromQL.
    places = {"candidate": run.status.version or "", "champion": champion or "", "window": f"{window}s"}
    return (Question(spec.metrics_source, _PLACE.sub(lambda found: places[found.group(1)], metric.query or "")),)


def what_was_measured(metric: RolloutMetric, version: str, answers: tuple[Answer, ...]) -> Measurement:
    """Return a version's figure; a query has one, whoever is asked about, and as many samples as it pleases."""
    if metric.preset is not None:
        figure, samples = answers
        return measurement(PRESETS[metric.preset], version, figure, samples)
    found = single(answers[0])
    return Value(found.value, float("inf")) if isinstance(found, Value) else found


def champions_figure(metric: RolloutMetric, run: RunSeen, champion: str | None, answers: tuple[Answer, ...]) -> Measurement | None:
    """Return what a comparison compares with: the champion over the same time, in the watch what was remembered of it; None elsewhere."""
    shadow = run.status.analysis is not None and run.status.analysis.mirrored
    if metric.preset is None or metric.compare_to is None or shadow:
        return None
    if run.status.phase is not Phase.WATCHING:
        return what_was_measured(metric, champion, answers) if champion is not None else None
    known = next((one for one in run.status.reference if one.preset == metric.preset), None)
    if known is None:
        return None
    return Counts(known.figure, known.samples) if known.is_counted else Value(known.figure, known.samples)

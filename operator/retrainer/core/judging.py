"""Which questions an analysis asks, when, and what the answers say together. Shared by the canary and the watch."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.rollout import Rollout, RolloutMetric
from retrainer.api.v1alpha1.run_status import Analysis, Phase
from retrainer.core.measurement import Measurement, Question
from retrainer.core.observation import Observation, PolicySeen, RunSeen
from retrainer.core.presets import PRESETS, measurement, questions
from retrainer.core.verdict import Judgement, Verdict, judge, overall


def due_at(analysis: Analysis, rollout: Rollout) -> datetime:
    """Return when the next analysis is due."""
    return (analysis.last_at or analysis.since) + timedelta(seconds=seconds(rollout.interval))


def questions_due(policy: PolicySeen, runs: Iterable[RunSeen], now: datetime) -> frozenset[Question]:
    """Return what must be asked of Prometheus for this round: nothing, unless an analysis is due."""
    asked: set[Question] = set()
    for run in runs:
        analysis, frozen = run.status.analysis, run.status.frozen
        judging = run.status.phase in {Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.WATCHING}
        if judging and analysis is not None and frozen is not None and now >= due_at(analysis, frozen.rollout):
            for metric in frozen.rollout.metrics:
                asked |= set(_questions(policy, metric, analysis, now))
    return frozenset(asked)


def judged(
    seen: Observation, metrics: Iterable[RolloutMetric], rollout: Rollout, analysis: Analysis, version: str, champion: str | None
) -> Judgement | None:
    """Return what the metrics say about `version` together, or None while an answer is missing; `champion` None compares with nothing."""
    judgements = []
    for metric in metrics:
        asked = _questions(seen.policy, metric, analysis, seen.now)
        if any(question not in seen.answers for question in asked):
            return None
        preset = PRESETS[metric.preset]
        figure, samples = (seen.answers[question] for question in asked)
        candidate = measurement(preset, version, figure, samples)
        reference: Measurement | None = measurement(preset, champion, figure, samples) if champion else None
        judgements.append(judge(metric, candidate, reference, rollout.min_samples, rollout.iterations))
    return overall(judgements)


def counted(analysis: Analysis, judgement: Judgement, now: datetime) -> Analysis:
    """Return the analysis with one more verdict on record."""
    return analysis.model_copy(
        update={
            "passed": analysis.passed + (judgement.verdict is Verdict.PASS),
            "failed": analysis.failed + (judgement.verdict is Verdict.FAIL),
            "last_at": now,
            "verdict": judgement.verdict.value,
            "message": cut(judgement.message),
        }
    )


def _questions(policy: PolicySeen, metric: RolloutMetric, analysis: Analysis, now: datetime) -> tuple[Question, Question]:
    window = max(1, round((now - analysis.since).total_seconds()))
    spec = policy.spec
    return questions(PRESETS[metric.preset], spec.metrics_source, policy.identity.namespace, spec.model_type, window)

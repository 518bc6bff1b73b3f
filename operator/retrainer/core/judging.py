"""Which questions an analysis asks, when, and what the answers say together. Shared by the canary, its approval and the watch."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.common import cut
from retrainer.api.v1alpha1.rollout import Rollout
from retrainer.api.v1alpha1.rollout_metric import RolloutMetric
from retrainer.api.v1alpha1.run_status import Analysis, Phase, Reference
from retrainer.core.commands import promotion_is_asked
from retrainer.core.holding import HELD_REASONS
from retrainer.core.live_figures import champions_figure, names_champion, questions_of, what_was_measured
from retrainer.core.measurement import Counts, NoData, Question
from retrainer.core.observation import Observation, PolicySeen, RunSeen
from retrainer.core.observed_share import share_question
from retrainer.core.verdict import Judgement, Verdict, judge, overall

SCALING_UP: Final = "ScalingUp"
_OF_A_SHADOW = frozenset({"ErrorRate", "Latency"})
_JUDGING = frozenset({Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.WATCHING})


@dataclass(frozen=True, slots=True)
class Judged:
    """What one analysis came to: the verdict that counts, what the dry-run metrics said, and the champion's figures to remember."""

    judgement: Judgement
    dry_run: str = ""
    reference: tuple[Reference, ...] = ()


def is_judged_before_promotion(run: RunSeen) -> bool:
    """Say whether a candidate was found waiting between its analysis and all the traffic: there it goes on being judged.

    It is held back, or its last pods come up, which may take as long as nodes take. What a person has promoted waits for its pods alone.
    """
    if run.status.phase is not Phase.PROMOTING:
        return False
    return run.status.reason in HELD_REASONS or (run.status.reason == SCALING_UP and not promotion_is_asked(run))


def due_at(analysis: Analysis, rollout: Rollout) -> datetime:
    """Return when the next analysis is due."""
    return (analysis.last_at or analysis.since) + timedelta(seconds=seconds(rollout.interval))


def metrics_of(run: RunSeen) -> tuple[RolloutMetric, ...]:
    """Return the metrics that judge a run where it is.

    Nobody waits for a shadow's answers and no outcome follows from them: its errors and its latency are all there is to judge. The watch
    has nobody to compare with: there a comparison uses the champion's figures as they were at the last step of the canary, and is left out
    where there was no canary; so is a query that names the champion.
    """
    assert run.status.frozen is not None, "a run that is judged has frozen its rollout"
    metrics = run.status.frozen.rollout.metrics
    if run.status.analysis is not None and run.status.analysis.mirrored:
        return tuple(metric for metric in metrics if metric.preset in _OF_A_SHADOW and metric.max is not None)
    if run.status.phase is not Phase.WATCHING:
        return metrics
    remembered = {one.preset for one in run.status.reference}
    return tuple(metric for metric in metrics if _judges_alone(metric) or metric.preset in remembered)


def questions_due(policy: PolicySeen, runs: Iterable[RunSeen], now: datetime) -> frozenset[Question]:
    """Return what must be asked of Prometheus for this round: nothing, unless an analysis is due."""
    asked: set[Question] = set()
    for run in runs:
        analysis, frozen = run.status.analysis, run.status.frozen
        judging = run.status.phase in _JUDGING or is_judged_before_promotion(run)
        if judging and analysis is not None and frozen is not None and now >= due_at(analysis, frozen.rollout):
            for metric in metrics_of(run):
                asked |= set(questions_of(metric, policy, run, analysis, now))
            if (share := share_question(policy, run, analysis, now)) is not None:
                asked.add(share)
    return frozenset(asked)


def judged(run: RunSeen, seen: Observation, analysis: Analysis) -> Judged | None:
    """Return what the run's metrics say about its version together, or None while an answer is missing."""
    assert run.status.frozen is not None, "a run that is judged has frozen its rollout"
    rollout = run.status.frozen.rollout
    counting: list[Judgement] = []
    dry: list[Judgement] = []
    remembered: dict[str, Reference] = {}
    for metric in metrics_of(run):
        asked = questions_of(metric, seen.policy, run, analysis, seen.now)
        if any(question not in seen.answers for question in asked):
            return None
        answers = tuple(seen.answers[question] for question in asked)
        champion = champions_figure(metric, run, seen.champion, answers)
        candidate = what_was_measured(metric, run.status.version or "", answers)
        judgement = judge(metric, candidate, champion, rollout.min_samples, rollout.iterations)
        (dry if metric.dry_run else counting).append(judgement)
        if metric.preset is not None and champion is not None and not isinstance(champion, NoData):
            pair = (champion.hits, champion.total) if isinstance(champion, Counts) else (champion.value, champion.samples)
            is_counted = isinstance(champion, Counts)
            remembered[metric.preset] = Reference(preset=metric.preset, figure=pair[0], samples=pair[1], is_counted=is_counted)
    told = "; ".join(f"{one.verdict}: {one.message}" for one in dry)
    return Judged(overall(counting), cut(told), tuple(remembered.values()))


def counted(analysis: Analysis, judged: Judged, now: datetime) -> Analysis:
    """Return the analysis with one more verdict on record."""
    verdict = judged.judgement.verdict
    return analysis.model_copy(
        update={
            "passed": analysis.passed + (verdict is Verdict.PASS),
            "failed": analysis.failed + (verdict is Verdict.FAIL),
            "inconclusive": analysis.inconclusive + (verdict is Verdict.INCONCLUSIVE),
            "no_data": analysis.no_data + (verdict is Verdict.NO_DATA),
            "last_at": now,
            "verdict": verdict.value,
            "message": cut(judged.judgement.message),
            "dry_run": judged.dry_run,
        }
    )


def _judges_alone(metric: RolloutMetric) -> bool:
    if metric.query is not None:
        return not names_champion(metric.query)
    return metric.min is not None or metric.max is not None

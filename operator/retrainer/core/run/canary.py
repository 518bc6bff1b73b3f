"""Canary: the candidate gets a share of live traffic and is judged on live figures, step by step."""

from dataclasses import replace
from datetime import datetime, timedelta

from retrainer.api.v1alpha1 import ModelRetrainRunStatus, seconds
from retrainer.api.v1alpha1.rollout import Rollout
from retrainer.api.v1alpha1.run_status import Analysis
from retrainer.core.actions import Effect, SendTraffic
from retrainer.core.commands import promotion_is_asked
from retrainer.core.holding import Held, weight_is_held
from retrainer.core.judging import counted, due_at, judged
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.run.approval import to_promotion
from retrainer.core.run.deploying import deploy, is_overdue, why_not_ready
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.rollback import roll_back
from retrainer.core.run.step import Step, hold, wait
from retrainer.core.traffic import mode_of
from retrainer.core.verdict import Judgement, Verdict


def canary(run: RunSeen, seen: Observation) -> Step:
    """Put the step's weight in place, analyse at each interval, go up, go back, or hold."""
    status, now, rollout = run.status, seen.now, frozen_of(run.status).rollout
    assert status.version is not None
    assert seen.champion is not None
    step = status.analysis.step if status.analysis else 0
    weight, full = rollout.step_weights[step], seen.policy.spec.serving.replicas
    ready, champion_ready = len(seen.backend(status.version).ready), len(seen.backend(seen.champion).ready)
    if ready == 0:
        return roll_back(run, seen, "CandidateNotReady", "the candidate lost its last ready pod")
    wanted = mode_of(seen.policy).pods_for(weight, full)
    in_place = status.analysis is not None and status.analysis.weight == weight
    effects = _shift(run, seen, weight, wanted)
    halt = weight_is_held(seen, status.phase)
    if halt is None and promotion_is_asked(run):
        told = f"a person skips the rest of the analysis of {status.version}"
        return to_promotion(run, seen, "PromotedByHand", told)
    if effects and not in_place and halt is not None:
        return _held(run, seen, rollout, halt)
    if effects or (ready < wanted and not in_place):
        told = f"asked {weight} %: {ready} of {wanted} candidate pods ready beside {champion_ready} of the champion"
        if not effects and is_overdue(run, seen, "ShiftingTraffic"):
            return roll_back(run, seen, "CandidateNotReady", f"{told}: {why_not_ready(seen, status.version)}")
        return wait(status, now, "ShiftingTraffic", told, *effects, after=5)
    if status.analysis is None or not in_place:
        mode = mode_of(seen.policy)
        effective = f"effective {mode.effective_weight(seen, status.version)} % by {mode.shares_by}"
        told = f"step {step + 1} of {len(rollout.step_weights)}: asked {weight} %, {effective}"
        fresh = Analysis(step=step, weight=weight, since=now)
        return wait(status, now, f"Step{step + 1}", told, analysis=fresh, after=seconds(rollout.interval))
    return _analyse(run, seen, rollout, status.analysis)


def _shift(run: RunSeen, seen: Observation, weight: int, wanted: int) -> list[Effect]:
    """Return what puts a weight in place, pods before traffic: nothing once it is."""
    assert seen.champion is not None
    version = run.status.version or ""
    if _replicas(seen, version) != wanted:
        return [deploy(run, wanted)]
    asked = SendTraffic(seen.champion, seen.previous or "", version, weight)
    if len(seen.backend(version).ready) >= wanted and not mode_of(seen.policy).carries(seen, asked):
        return [asked]
    return []


def _held(run: RunSeen, seen: Observation, rollout: Rollout, halt: Held) -> Step:
    """Raise nothing, and go on judging the weight that is in place, if any is."""
    if run.status.analysis is None:
        return wait(run.status, seen.now, halt.reason, f"{halt.message}: the candidate gets no traffic until {halt.until}")
    return _analyse(run, seen, rollout, run.status.analysis)


def _analyse(run: RunSeen, seen: Observation, rollout: Rollout, analysis: Analysis) -> Step:
    status, now = run.status, seen.now
    due = due_at(analysis, rollout)
    if now < due:
        return hold(status, after=(due - now).total_seconds())
    judgement = judged(seen, rollout.metrics, rollout, analysis, status.version or "", seen.champion)
    if judgement is None:
        return hold(status, after=0)  # the questions of this analysis have not been asked yet
    analysis = _counted_here(analysis, judgement, now)
    if analysis.failed > rollout.failure_limit:
        failed = run.status.model_copy(update={"analysis": analysis})
        return roll_back(_with(run, failed), seen, "AnalysisFailed", judgement.message)
    if analysis.passed >= rollout.iterations and judgement.verdict is Verdict.PASS:
        return _step_passed(run, seen, rollout, analysis, judgement)
    if (late := _too_long_inconclusive(analysis, rollout, now)) is not None:
        if rollout.inconclusive.on_deadline == "Rollback":
            return roll_back(run, seen, "Inconclusive", late)
        return wait(
            status, now, "Inconclusive", f"{late}; the weight is held for a person", analysis=analysis, after=seconds(rollout.interval)
        )
    told = f"step {analysis.step + 1} at {analysis.weight} %, {analysis.passed} of {rollout.iterations} good: {judgement.message}"
    return wait(status, now, f"Step{analysis.step + 1}", told, analysis=analysis, after=seconds(rollout.interval))


def _counted_here(analysis: Analysis, judgement: Judgement, now: datetime) -> Analysis:
    conclusive = judgement.verdict in {Verdict.PASS, Verdict.FAIL}
    since = None if conclusive else analysis.inconclusive_since or now
    return counted(analysis, judgement, now).model_copy(update={"inconclusive_since": since})


def _step_passed(run: RunSeen, seen: Observation, rollout: Rollout, analysis: Analysis, judgement: Judgement) -> Step:
    status, now = run.status, seen.now
    if (halt := weight_is_held(seen, status.phase)) is not None:
        told = f"{analysis.weight} % passed; {halt.message}: the weight does not rise until {halt.until}"
        return wait(status, now, halt.reason, told, analysis=analysis, after=seconds(rollout.interval))
    if analysis.step + 1 == len(rollout.step_weights):
        return to_promotion(run, seen, "AnalysisPassed", judgement.message, analysis=analysis)
    # The old figures stay until the new weight is in place; a weight that is not the step's is what says "not yet".
    raised = analysis.model_copy(update={"step": analysis.step + 1})
    return wait(status, now, "ShiftingTraffic", f"step {analysis.step + 1} passed: {judgement.message}", analysis=raised, after=0)


def _too_long_inconclusive(analysis: Analysis, rollout: Rollout, now: datetime) -> str | None:
    since = analysis.inconclusive_since
    if since is None or now < since + timedelta(seconds=seconds(rollout.inconclusive.deadline)):
        return None
    return f"no conclusive analysis for {rollout.inconclusive.deadline}: {analysis.message}"


def _replicas(seen: Observation, version: str) -> int:
    deployment = seen.backend(version).deployment
    return deployment.replicas if deployment else 0


def _with(run: RunSeen, status: ModelRetrainRunStatus) -> RunSeen:
    return replace(run, status=status)

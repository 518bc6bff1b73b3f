"""Promoting and Watching: the Service is re-pointed at pods that already run; the old champion stays warm until the watch ends."""

from dataclasses import replace
from datetime import datetime, timedelta

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.run_status import Analysis
from retrainer.core.actions import Effect, RecycleVersion, SendTraffic
from retrainer.core.capacity import candidate_size, grown, replaces
from retrainer.core.holding import Held, weight_is_held
from retrainer.core.judging import SCALING_UP, counted, due_at, is_judged_before_promotion, judged, metrics_of
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.analysis import analysed_at_rest
from retrainer.core.run.canary import refused
from retrainer.core.run.deploying import deploy, is_overdue, is_up, replicas_of, why_not_ready
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.return_check import to_be_checked
from retrainer.core.run.rollback import return_to_previous, roll_back, unreachable
from retrainer.core.run.step import Step, end, hold, move, wait
from retrainer.core.traffic import mode_of
from retrainer.core.verdict import Judgement, Verdict


def promoting(run: RunSeen, seen: Observation) -> Step:
    """Give the candidate its full size, then all traffic in one write."""
    status, now, version = run.status, seen.now, run.status.version or ""
    # Where only the selector was lost again, the Service names the version already, and its predecessor beside it.
    old = (seen.champion if seen.champion != version else seen.previous) or ""
    asked = SendTraffic(version, old)
    if mode_of(seen.policy).carries(seen, asked):
        return _promoted(run, seen)
    if seen.champion is not None and (step := unreachable(run, seen, " before its promotion")) is not None:
        return step
    if not run.redeploys and (halt := weight_is_held(seen, status.phase)) is not None:
        return _held(run, seen, halt)
    if (growing := _growing(run, seen, candidate_size(seen, 100))) is not None:
        return growing
    if refusal := mode_of(seen.policy).refusal(seen):
        return refused(run, seen, refusal)
    return wait(status, now, "Switching", f"all traffic goes to {version}", asked, after=1)


def _held(run: RunSeen, seen: Observation, halt: Held) -> Step:
    """Keep the weight, and go on judging it."""
    if is_judged_before_promotion(run) and (step := analysed_at_rest(run, seen)) is not None:
        return step
    told = f"{halt.message}: the candidate is promoted once {halt.until}"
    again = None if run.status.analysis is None else seconds(frozen_of(run.status).rollout.interval)
    return wait(run.status, seen.now, halt.reason, told, after=again)


def _growing(run: RunSeen, seen: Observation, full: int) -> Step | None:
    """Bring the candidate to the size it needs for all the traffic; None once it has it."""
    status, now, version = run.status, seen.now, run.status.version or ""
    ready = len(seen.backend(version).ready)
    if replaces(seen) and seen.champion != version and not mode_of(seen.policy).is_shared(seen):
        shared = SendTraffic(seen.champion or "", seen.previous or "", version, _share(seen, version))
        return wait(status, now, SCALING_UP, "the candidate shares the traffic while it takes the champion's pods", shared, after=1)
    if replicas_of(seen, version) != (step := grown(seen, version, full)):
        return wait(status, now, SCALING_UP, f"the candidate gets its full size of {full} pods", deploy(run, step), after=5)
    if ready >= full:
        return None
    told = f"{ready} of {full} candidate pods are ready: {why_not_ready(seen, version)}"
    if is_overdue(run, seen, SCALING_UP):
        return roll_back(run, seen, "CandidateNotReady", told)
    if is_judged_before_promotion(run) and (judged_so := analysed_at_rest(run, seen)) is not None:
        return judged_so
    return wait(status, now, SCALING_UP, told, after=5)


def _share(seen: Observation, version: str) -> int:
    """Return the share of the traffic that a version's ready pods carry, in whole percent."""
    return max(1, min(99, round(100 * len(seen.backend(version).ready) / seen.policy.spec.serving.replicas)))


def _promoted(run: RunSeen, seen: Observation) -> Step:
    status, now = run.status, seen.now
    if run.redeploys:
        checked = to_be_checked(status, seen, status.version or "")
        told = f"{status.version} serves again" + (f", instead of {seen.previous}" if seen.previous else "")
        return end(status, now, Outcome.SUCCEEDED, "Redeployed", told, promoted_at=now, **checked)
    watch = seconds(frozen_of(status).rollout.watch.duration)
    if seen.previous is None or watch == 0:
        why = "it is the first version" if seen.previous is None else "the policy asks for no watch"
        watched = move(status, now, Phase.WATCHING, "Promoted", f"{status.version} serves", promoted_at=now)
        return end(watched.status, now, Outcome.SUCCEEDED, "Promoted", f"{status.version} serves; {why}, so nothing is watched")
    told = f"{status.version} serves; {seen.previous} stays warm for {watch:.0f} s and returns by itself on regression"
    return move(status, now, Phase.WATCHING, "Promoted", told, promoted_at=now, analysis=Analysis(since=now))


def watching(run: RunSeen, seen: Observation) -> Step:
    """Judge the new champion by its bounds, and against its predecessor as the canary knew it; no data never rolls back."""
    status, now, rollout = run.status, seen.now, frozen_of(run.status).rollout
    assert status.promoted_at is not None
    if seen.champion != status.version:
        return end(status, now, Outcome.SUPERSEDED, "NoLongerChampion", f"{seen.champion} serves by now")
    if (urgent := seen.rollout) is not None and urgent.status.phase is Phase.DEPLOYING and is_up(urgent, seen):
        told = f"{status.version} serves; its watch ends for the emergency {urgent.name}, whose candidate is ready"
        return end(status, now, Outcome.SUCCEEDED, "CutShort", told)
    effects = _recycling(run, seen)
    until = status.promoted_at + timedelta(seconds=seconds(rollout.watch.duration))
    if now >= until:
        return _watched(run, now)
    analysis = status.analysis or Analysis(since=status.promoted_at)
    left = (until - now).total_seconds()
    due = due_at(analysis, rollout)
    if not metrics_of(run):
        return hold(status, *effects, after=left)
    if now < due:
        return hold(status, *effects, after=min(left, (due - now).total_seconds()))
    found = judged(run, seen, analysis)
    if found is None:
        return hold(status, *effects, after=0)
    return _judged(run, seen, counted(analysis, found, now), found.judgement, effects)


def _judged(run: RunSeen, seen: Observation, analysis: Analysis, judgement: Judgement, effects: tuple[Effect, ...]) -> Step:
    status, now, rollout = run.status, seen.now, frozen_of(run.status).rollout
    regressed = judgement.verdict is Verdict.FAIL and analysis.failed > rollout.failure_limit
    if regressed and seen.previous and seen.backend(seen.previous).ready:
        judged_so = replace(run, status=status.model_copy(update={"analysis": analysis}))
        return return_to_previous(judged_so, seen, "RegressionInWatch", judgement.message)
    if regressed:
        told = f"{judgement.message}; the previous version {seen.previous} has no ready pod to return to"
        return wait(status, now, "PreviousNotReady", told, *effects, after=seconds(rollout.interval), analysis=analysis)
    if status.reason == "PreviousNotReady":
        told = f"{status.version} serves; {seen.previous} stays warm and returns by itself on regression"
        return wait(status, now, "Promoted", told, *effects, after=seconds(rollout.interval), analysis=analysis)
    return hold(status, *effects, after=seconds(rollout.interval), analysis=analysis)


def _watched(run: RunSeen, now: datetime) -> Step:
    analysis = run.status.analysis
    if analysis is not None and analysis.passed:
        told = f"{run.status.version} serves and was good in {analysis.passed} analyses of its watch"
        return end(run.status, now, Outcome.SUCCEEDED, "Watched", told)
    told = f"{run.status.version} serves; its watch had no conclusive analysis"
    return end(run.status, now, Outcome.SUCCEEDED, "Unobserved", told)


def _recycling(run: RunSeen, seen: Observation) -> tuple[Effect, ...]:
    """Where connections outlive the switch, the side that lost traffic is restarted pod by pod, once."""
    if seen.previous is None or not mode_of(seen.policy).keeps_connections:
        return ()
    deployment = seen.backend(seen.previous).deployment
    if deployment is None or not deployment.replicas or deployment.recycled_by == run.name:
        return ()
    return (RecycleVersion(seen.previous, run.name),)

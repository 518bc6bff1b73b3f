"""Canary: the candidate gets a share of live traffic and is judged on live figures, step by step."""

from dataclasses import replace
from datetime import datetime, timedelta

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.rollout import Rollout
from retrainer.api.v1alpha1.run_status import Analysis
from retrainer.core.actions import Effect, SendTraffic
from retrainer.core.capacity import candidate_size, grown, has_given, replaces
from retrainer.core.commands import promotion_is_asked
from retrainer.core.holding import Held, weight_is_held
from retrainer.core.judging import Judged, counted, due_at, judged
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.run.analysis import analysed_at_rest
from retrainer.core.run.approval import to_promotion
from retrainer.core.run.deploying import deploy, is_overdue, replicas_of, why_not_ready
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.rollback import roll_back, unreachable
from retrainer.core.run.step import Step, hold, wait
from retrainer.core.traffic import mode_of
from retrainer.core.verdict import Judgement, Verdict


def canary(run: RunSeen, seen: Observation) -> Step:
    """Put the step's weight in place, analyse at each interval, go up, go back, or hold."""
    status, rollout = run.status, frozen_of(run.status).rollout
    assert status.version is not None
    assert seen.champion is not None
    asked = _asked(run, seen, rollout)
    ready = len(seen.backend(status.version).ready)
    if (step := unreachable(run, seen)) is not None:
        return step
    halt = weight_is_held(seen, status.phase)
    if halt is None and promotion_is_asked(run):
        told = f"a person skips the rest of the analysis of {status.version}"
        return to_promotion(run, seen, "PromotedByHand", told)
    mode = mode_of(seen.policy)
    # A shadow has its full size already, and keeps it.
    wanted = candidate_size(seen, 100 if rollout.mirror else asked.weight)
    before = status.analysis
    in_place = before is not None and (before.weight, before.mirrored) == (asked.weight, asked.mirrored)
    effects = _shift(run, seen, asked, wanted)
    if effects and not in_place and halt is not None:
        return _held(run, seen, rollout, halt)
    if not in_place and (refusal := mode.refusal(seen)):
        return refused(run, seen, refusal)
    if effects or ((ready < wanted or not has_given(seen)) and not in_place):
        return _shifting(run, seen, asked, wanted, effects)
    if before is None or not in_place:
        return _measured_from_now(run, seen, rollout, asked)
    return _analyse(run, seen, rollout, before)


def _shifting(run: RunSeen, seen: Observation, asked: SendTraffic, wanted: int, effects: list[Effect]) -> Step:
    """Do what puts the weight in place, or wait for pods; the weight that is in place meanwhile goes on being judged."""
    status, ready, champions = run.status, len(seen.backend(asked.candidate).ready), len(seen.backend(asked.champion).ready)
    told = f"asked {_share(asked)}: {ready} of {wanted} candidate pods ready beside {champions} of the champion"
    if not effects and is_overdue(run, seen, "ShiftingTraffic"):
        return roll_back(run, seen, "CandidateNotReady", f"{told}: {why_not_ready(seen, asked.candidate)}")
    is_shared = status.analysis is not None and status.analysis.weight > 0
    if not effects and is_shared and (step := analysed_at_rest(run, seen)) is not None:
        return step
    return wait(status, seen.now, "ShiftingTraffic", told, *effects, after=5)


def _asked(run: RunSeen, seen: Observation, rollout: Rollout) -> SendTraffic:
    """Return the shares of the present step; a shadow comes before the first."""
    assert seen.champion is not None
    assert run.status.version is not None
    analysis = run.status.analysis
    mirrored = analysis.mirrored if analysis else rollout.mirror
    weight = 0 if mirrored else rollout.step_weights[analysis.step if analysis else 0]
    return SendTraffic(seen.champion, seen.previous or "", run.status.version, weight, mirrored)


def _share(asked: SendTraffic) -> str:
    return "a copy of every request" if asked.mirrored else f"{asked.weight} %"


def _shift(run: RunSeen, seen: Observation, asked: SendTraffic, wanted: int) -> list[Effect]:
    """Return what puts a weight in place, pods before traffic: nothing once it is.

    Where the champion gives the pods, traffic comes with the first of them: the champion must not be left with more than its pods carry.
    """
    ready, in_place = len(seen.backend(asked.candidate).ready), mode_of(seen.policy).carries(seen, asked)
    if replaces(seen) and ready and not in_place:
        return [asked]
    if replicas_of(seen, asked.candidate) != (step := grown(seen, asked.candidate, wanted)):
        return [deploy(run, step)]
    return [] if ready < wanted or in_place else [asked]


def _measured_from_now(run: RunSeen, seen: Observation, rollout: Rollout, asked: SendTraffic) -> Step:
    """The traffic is in place: what is measured from here on belongs to this step."""
    step = run.status.analysis.step if run.status.analysis else 0
    fresh = Analysis(step=step, weight=asked.weight, mirrored=asked.mirrored, since=seen.now)
    mode, after = mode_of(seen.policy), seconds(rollout.interval)
    if asked.mirrored:
        told = "a copy of every request goes to the candidate; the champion answers them all"
        return wait(run.status, seen.now, "Shadow", told, analysis=fresh, after=after)
    effective = f"effective {mode.effective_weight(seen, asked.candidate)} % by {mode.shares_by}"
    told = f"step {step + 1} of {len(rollout.step_weights)}: asked {asked.weight} %, {effective}"
    return wait(run.status, seen.now, f"Step{step + 1}", told, analysis=fresh, after=after)


def refused(run: RunSeen, seen: Observation, refusal: str) -> Step:
    """Hold while no gateway takes the route, in which no candidate has a share yet; go back when that lasts longer than pods may take.

    What Git says of the gateways by now is followed meanwhile: it may be what mends the refusal.
    """
    mode = mode_of(seen.policy)
    if is_overdue(run, seen, "RouteNotAccepted"):
        return roll_back(run, seen, "RouteNotAccepted", refusal)
    alone = SendTraffic(seen.champion or "", seen.previous or "")
    mended = [] if mode.carries(seen, alone) else [alone]
    return wait(run.status, seen.now, "RouteNotAccepted", f"the traffic does not rise: {refusal}", *mended, after=5)


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
    found = judged(run, seen, analysis)
    if found is None:
        return hold(status, after=0)  # the questions of this analysis have not been asked yet
    judgement, analysis = found.judgement, _counted_here(analysis, found, now)
    status = status.model_copy(update={"analysis": analysis, "reference": found.reference or status.reference})
    run = replace(run, status=status)
    if analysis.failed > rollout.failure_limit:
        return roll_back(run, seen, "AnalysisFailed", judgement.message)
    if analysis.passed >= rollout.iterations and judgement.verdict is Verdict.PASS:
        return _step_passed(run, seen, rollout, analysis, judgement)
    if (late := _too_long_inconclusive(analysis, rollout, now)) is not None:
        if rollout.inconclusive.on_deadline == "Rollback":
            return roll_back(run, seen, "Inconclusive", late)
        told = f"{late}; the weight is held until figures come back, or a person promotes or aborts"
        return wait(status, now, "InconclusiveDeadlineExceeded", told, after=seconds(rollout.interval))
    told = f"{_named(analysis)}, {analysis.passed} of {rollout.iterations} good: {judgement.message}"
    return wait(status, now, _reason(analysis, judgement), told, after=seconds(rollout.interval))


def _reason(analysis: Analysis, judgement: Judgement) -> str:
    """A weight that is held for lack of evidence says so: that is neither a step forward nor a failure."""
    if judgement.verdict in {Verdict.INCONCLUSIVE, Verdict.NO_DATA}:
        return judgement.verdict.value
    return "Shadow" if analysis.mirrored else f"Step{analysis.step + 1}"


def _named(analysis: Analysis) -> str:
    return "shadow" if analysis.mirrored else f"step {analysis.step + 1} at {analysis.weight} %"


def _counted_here(analysis: Analysis, found: Judged, now: datetime) -> Analysis:
    conclusive = found.judgement.verdict in {Verdict.PASS, Verdict.FAIL}
    since = None if conclusive else analysis.inconclusive_since or now
    return counted(analysis, found, now).model_copy(update={"inconclusive_since": since})


def _step_passed(run: RunSeen, seen: Observation, rollout: Rollout, analysis: Analysis, judgement: Judgement) -> Step:
    status, now = run.status, seen.now
    if (halt := weight_is_held(seen, status.phase)) is not None:
        told = f"{_named(analysis)} passed; {halt.message}: the weight does not rise until {halt.until}"
        return wait(status, now, halt.reason, told, analysis=analysis, after=seconds(rollout.interval))
    following = 0 if analysis.mirrored else analysis.step + 1
    if following == len(rollout.step_weights):
        return to_promotion(run, seen, "AnalysisPassed", judgement.message, analysis=analysis)
    # The old figures stay until the new weight is in place; a weight that is not the step's is what says "not yet".
    raised = analysis.model_copy(update={"step": following, "mirrored": False})
    return wait(status, now, "ShiftingTraffic", f"{_named(analysis)} passed: {judgement.message}", analysis=raised, after=0)


def _too_long_inconclusive(analysis: Analysis, rollout: Rollout, now: datetime) -> str | None:
    since = analysis.inconclusive_since
    if since is None or now < since + timedelta(seconds=seconds(rollout.inconclusive.deadline)):
        return None
    return f"no conclusive analysis for {rollout.inconclusive.deadline}: {analysis.message}"

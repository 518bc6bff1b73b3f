from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.actions import DeployVersion, ScaleVersion, SendTraffic
from retrainer.core.judging import questions_due
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.step import Step
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    NOW,
    TEMPLATE,
    Part,
    a_deployment,
    a_policy,
    a_run,
    a_service,
    a_template,
    an_analysis,
    answers,
    kinds,
    pods_of,
    seen,
)

GOOD = {CANDIDATE: (0.0, 500.0), CHAMPION: (0.0, 500.0)}
BAD = {CANDIDATE: (50.0, 500.0), CHAMPION: (0.0, 500.0)}
THIN = {CANDIDATE: (0.0, 5.0), CHAMPION: (0.0, 500.0)}
TWO_GOOD = {"iterations": 2}


def a_canary(rollout: Part = None, **status: Part) -> RunSeen:
    status.setdefault("analysis", an_analysis())
    return a_run(Phase.CANARY, policy=a_policy(rollout=rollout or {}), **status)


def a_world(run: RunSeen, ready: int = 1, *, suspend: bool = False, **parts: Part) -> Observation:
    """The canary's traffic is in place, at the size of its first step."""
    known: dict[str, Part] = {"backends": {CHAMPION: 3, CANDIDATE: ready}, "service": a_service(shared=True)} | parts
    return seen(a_policy(suspend=suspend), run, **known)


def analysed(run: RunSeen, figures: dict[str, tuple[float, float]] | None, **world: Part) -> Step:
    said = answers(run) if figures is None else answers(run, ErrorRate=figures)
    return advance(run, a_world(run, answers=said, **world))


def test_a_candidate_gets_its_share_once_its_pods_are_ready() -> None:
    run = a_canary(analysis=None)
    step = advance(run, a_world(run, service=a_service()))
    assert step.effects == (SendTraffic(CHAMPION, "", CANDIDATE, 10),)
    assert (step.status.reason, step.status.analysis) == ("ShiftingTraffic", None)


def test_measuring_begins_when_the_traffic_is_in_place() -> None:
    run = a_canary(analysis=None)
    step = advance(run, a_world(run))
    assert step.status.analysis is not None
    assert (step.status.analysis.weight, step.status.analysis.since, step.status.reason) == (10, NOW, "Step1")
    assert (step.effects, step.after) == ((), 60)


def test_between_two_analyses_nothing_is_done() -> None:
    run = a_canary(analysis=an_analysis(last_at=NOW - timedelta(seconds=20)))
    step = advance(run, a_world(run))
    assert (step.status, step.effects, step.after) == (run.status, (), 40)


def test_questions_that_have_not_been_asked_yet_are_waited_for() -> None:
    run = a_canary()
    step = advance(run, a_world(run))
    assert (step.status, step.after) == (run.status, 0)


def test_a_good_analysis_is_counted_and_the_weight_stays_until_there_are_enough() -> None:
    step = analysed(a_canary(), GOOD)
    assert step.status.analysis is not None
    assert (step.status.analysis.passed, step.status.analysis.step, step.effects) == (1, 0, ())


def test_enough_good_analyses_raise_the_step() -> None:
    step = analysed(a_canary(analysis=an_analysis(passed=4)), GOOD)
    assert step.status.analysis is not None
    assert (step.status.analysis.step, step.status.reason) == (1, "ShiftingTraffic")


def test_the_last_step_leads_to_the_promotion() -> None:
    run = a_canary(analysis=an_analysis(1, 50, passed=4))
    assert analysed(run, GOOD, ready=3).status.phase is Phase.PROMOTING


def starting(run: RunSeen, ready: int) -> Observation:
    """The second step's three pods are asked for, and so many of them ready."""
    pods = pods_of(CHAMPION, 3) + pods_of(CANDIDATE, ready=ready, starting=3 - ready)
    return a_world(run, backends={}, pods=pods, deployments=[a_deployment(CHAMPION), a_deployment(CANDIDATE)])


def test_the_next_steps_pods_are_asked_for() -> None:
    raised = a_canary(analysis=an_analysis(1, 10, passed=5))
    assert advance(raised, a_world(raised)).effects == (DeployVersion(CANDIDATE, 3, TEMPLATE, 5),)


@pytest.mark.parametrize(("ready", "weight", "reason"), [(2, 10, "ShiftingTraffic"), (3, 50, "Step2")])
def test_a_step_counts_from_when_its_pods_are_ready(ready: int, weight: int, reason: str) -> None:
    raised = a_canary(analysis=an_analysis(1, 10, passed=5, last_at=NOW))
    step = advance(raised, starting(raised, ready))
    assert step.status.analysis is not None
    assert (step.status.analysis.weight, step.status.reason) == (weight, reason)


@pytest.mark.parametrize("suspend", [False, True])
def test_a_weight_in_place_goes_on_being_judged_while_the_pods_of_the_next_come_up(*, suspend: bool) -> None:
    raised = a_canary(analysis=an_analysis(1, 10, passed=5), reason="ShiftingTraffic")

    def found(figures: Part) -> Step:
        world = starting(raised, ready=1)
        assert questions_due(world.policy, world.runs, NOW), "what is judged has been asked"
        policy = a_policy(suspend=suspend)
        return advance(raised, replace(world, policy=policy, answers=answers(raised, ErrorRate=figures)))

    good, bad = found(GOOD), found(BAD)
    assert good.status.analysis is not None
    assert (good.status.phase, good.status.analysis.weight, good.status.analysis.passed) == (Phase.CANARY, 10, 6)
    assert (bad.status.outcome, bad.status.reason) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert kinds(bad.effects) == ["SendTraffic", "ScaleVersion"]


def test_pods_of_a_step_that_never_become_ready_do_not_leave_a_candidate_unjudged_for_ever() -> None:
    timeline = [{"at": NOW - timedelta(seconds=601), "phase": "Canary", "reason": "ShiftingTraffic"}]
    raised = a_canary(analysis=an_analysis(1, 10, passed=5), reason="ShiftingTraffic", timeline=timeline)
    step = advance(raised, starting(raised, ready=1))
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "CandidateNotReady")
    assert kinds(step.effects) == ["SendTraffic", "ScaleVersion"]


def test_a_failed_analysis_returns_the_traffic_first_and_takes_the_candidate_after() -> None:
    step = analysed(a_canary(), BAD)
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert step.effects == (SendTraffic(CHAMPION, ""), ScaleVersion(CANDIDATE, 0))
    assert step.status.analysis is not None
    assert (step.status.analysis.failed, step.status.analysis.verdict) == (1, "Fail")


def test_as_many_failed_analyses_as_the_limit_says_are_tolerated() -> None:
    tolerant = {"failure_limit": 1}
    first = analysed(a_canary(tolerant), BAD)
    assert (first.status.phase, first.effects) == (Phase.CANARY, ())
    assert analysed(a_canary(tolerant, analysis=an_analysis(failed=1)), BAD).status.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize("figures", [None, {}, THIN, {CHAMPION: (0.0, 500.0)}])
def test_a_canary_without_data_holds_its_weight(figures: dict[str, tuple[float, float]] | None) -> None:
    step = analysed(a_canary(analysis=an_analysis(passed=4)), figures)
    assert step.status.analysis is not None
    assert (step.status.analysis.passed, step.status.analysis.failed, step.status.analysis.step) == (4, 0, 0)
    assert (step.status.phase, step.effects) == (Phase.CANARY, ())
    assert step.status.analysis.inconclusive_since == NOW


@pytest.mark.parametrize(
    ("on_deadline", "outcome", "reason"),
    [("Rollback", Outcome.ROLLED_BACK, "Inconclusive"), ("Hold", None, "InconclusiveDeadlineExceeded")],
)
def test_evidence_that_stays_too_thin_is_rolled_back_or_held_as_the_policy_says(
    on_deadline: str, outcome: Outcome | None, reason: str
) -> None:
    since = NOW - timedelta(hours=72)
    run = a_canary({"inconclusive": {"on_deadline": on_deadline}}, analysis=an_analysis(inconclusive_since=since))
    step = analysed(run, {})
    assert (step.status.outcome, step.status.reason) == (outcome, reason)
    assert step.status.analysis is not None
    assert step.status.analysis.weight == 10


def test_a_held_canary_goes_on_when_figures_come_back() -> None:
    run = a_canary({"inconclusive": {"on_deadline": "Hold"}}, analysis=an_analysis(inconclusive_since=NOW - timedelta(days=9), passed=4))
    step = analysed(run, GOOD)
    assert step.status.analysis is not None
    assert (step.status.analysis.step, step.status.analysis.inconclusive_since) == (1, None)


def test_a_candidate_that_lost_its_last_ready_pod_is_taken_back() -> None:
    run = a_canary()
    world = a_world(run, backends={CHAMPION: 3}, deployments=[])
    step = advance(run, world)
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "CandidateNotReady")
    assert step.effects[0] == SendTraffic(CHAMPION, "")


def test_a_pod_that_is_going_is_no_ready_pod() -> None:
    run = a_canary()
    going = tuple(replace(pod, deleting=True) for pod in pods_of(CANDIDATE, 1))
    world = a_world(run, backends={CHAMPION: 3}, pods=going, deployments=[a_deployment(CANDIDATE, 1)])
    assert advance(run, world).status.outcome is Outcome.ROLLED_BACK


def test_a_suspended_canary_keeps_its_weight_though_it_passes() -> None:
    step = analysed(a_canary(analysis=an_analysis(passed=4)), GOOD, suspend=True)
    assert step.status.analysis is not None
    assert (step.status.reason, step.status.analysis.step, step.effects) == ("Suspended", 0, ())


def test_a_suspended_canary_is_still_rolled_back() -> None:
    assert analysed(a_canary(analysis=an_analysis(passed=4)), BAD, suspend=True).status.outcome is Outcome.ROLLED_BACK


def test_a_suspended_canary_that_has_no_traffic_yet_gets_none() -> None:
    run = a_canary(analysis=None)
    step = advance(run, a_world(run, suspend=True, service=a_service()))
    assert (step.status.reason, step.effects) == ("Suspended", ())


def test_a_step_that_was_raised_just_before_the_suspension_gets_no_pods_and_goes_on_being_judged() -> None:
    raised = a_canary(analysis=an_analysis(1, 10, passed=5))
    good = analysed(raised, GOOD, suspend=True)
    assert good.status.analysis is not None
    assert (good.status.phase, good.effects, good.status.analysis.weight) == (Phase.CANARY, (), 10)
    assert analysed(raised, BAD, suspend=True).status.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize("figures", [{}, THIN, BAD])
def test_a_canary_that_passed_while_suspended_is_not_raised_by_an_analysis_that_does_not_pass(
    figures: dict[str, tuple[float, float]],
) -> None:
    step = analysed(a_canary({"failure_limit": 5}, analysis=an_analysis(passed=9)), figures)
    assert step.status.analysis is not None
    assert (step.status.phase, step.status.analysis.step) == (Phase.CANARY, 0)


def test_an_edited_template_does_not_change_a_candidate_under_way() -> None:
    raised = a_canary(analysis=an_analysis(1, 10, passed=5))
    step = advance(raised, a_world(raised, template=a_template(generation=6, pod={"spec": {"containers": [{"name": "server"}]}})))
    assert step.effects == (DeployVersion(CANDIDATE, 3, TEMPLATE, 5),)


def test_edited_replicas_keep_the_share_and_the_measuring() -> None:
    run = a_canary(analysis=an_analysis(passed=2))
    step = advance(run, seen(a_policy(serving={"replicas": 20}), run, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}))
    assert step.effects == (DeployVersion(CANDIDATE, 2, TEMPLATE, 5),)
    assert step.status.analysis == run.status.analysis


def test_a_candidate_that_somebody_else_scales_gets_its_size_back_and_goes_on_being_judged() -> None:
    run = a_canary()
    pods = pods_of(CHAMPION, 3) + pods_of(CANDIDATE, 5)
    scaled = a_world(run, backends={}, pods=pods, deployments=[a_deployment(CHAMPION), a_deployment(CANDIDATE, 5)])
    step = advance(run, scaled)
    assert (step.effects, step.status.analysis) == ((DeployVersion(CANDIDATE, 1, TEMPLATE, 5),), run.status.analysis)
    assert analysed(replace(run, status=step.status), BAD).status.reason == "AnalysisFailed"


def test_a_policy_edited_meanwhile_changes_nothing_of_the_run() -> None:
    run = a_canary()
    edited = a_policy(rollout={"step_weights": [99], "iterations": 1, "interval": "1h"})
    world = seen(edited, run, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}, answers=answers(run, ErrorRate=GOOD))
    step = advance(run, world)
    assert step.status.analysis is not None
    assert (step.status.analysis.passed, step.status.analysis.step, step.after) == (1, 0, 60)


def test_a_comparison_reads_both_sides_from_the_same_time() -> None:
    compared = {"metrics": [{"preset": "ErrorRate", "compare_to": "Champion", "max_regression": 0.0}]}
    run = a_canary(compared)
    both_bad = {CANDIDATE: (50.0, 500.0), CHAMPION: (60.0, 500.0)}
    step = advance(run, a_world(run, answers=answers(run, ErrorRate=both_bad)))
    assert step.status.outcome is None

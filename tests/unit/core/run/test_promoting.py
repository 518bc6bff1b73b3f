from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.core.actions import DeployVersion, RecycleVersion, ScaleVersion, SendTraffic
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
    an_analysis,
    answers,
    kinds,
    pods_of,
    seen,
)

GOOD = {CANDIDATE: (0.0, 500.0)}
BAD = {CANDIDATE: (50.0, 500.0)}


def promoted(*, suspend: bool = False, rollout: Part = None, run: Part = None, **parts: Part) -> Step:
    own = a_run(Phase.PROMOTING, policy=a_policy(rollout=rollout or {}), **(run or {}))
    known: dict[str, Part] = {"service": a_service(shared=True), "backends": {CHAMPION: 3, CANDIDATE: 3}} | parts
    return advance(own, seen(a_policy(suspend=suspend), own, **known))


def test_a_candidate_gets_its_full_size_before_all_traffic() -> None:
    step = promoted(backends={CHAMPION: 3, CANDIDATE: 1})
    assert step.effects == (DeployVersion(CANDIDATE, 3, TEMPLATE, 5),)


def test_pods_that_are_not_ready_hold_the_switch_back() -> None:
    pods = pods_of(CHAMPION, 3) + pods_of(CANDIDATE, ready=2, starting=1)
    step = promoted(backends={}, pods=pods, deployments=[a_deployment(CHAMPION), a_deployment(CANDIDATE)])
    assert (step.status.reason, step.effects) == ("ScalingUp", ())


def test_the_switch_is_one_write_that_remembers_the_old_champion() -> None:
    assert promoted().effects == (SendTraffic(CANDIDATE, CHAMPION),)


def test_a_first_version_has_no_predecessor() -> None:
    assert promoted(service=a_service("", claimed_by="uid-of-churn-risk"), backends={CANDIDATE: 3}).effects == (SendTraffic(CANDIDATE, ""),)


def test_a_selector_that_was_changed_meanwhile_does_not_make_a_version_its_own_predecessor() -> None:
    changed = a_service(CANDIDATE, previous=CHAMPION, shared=True)
    assert promoted(service=changed).effects == (SendTraffic(CANDIDATE, CHAMPION),)


def test_a_promoted_version_is_watched() -> None:
    step = promoted(service=a_service(CANDIDATE, previous=CHAMPION))
    assert (step.status.phase, step.status.promoted_at) == (Phase.WATCHING, NOW)
    assert step.status.analysis is not None
    assert (step.status.analysis.since, step.status.analysis.passed) == (NOW, 0)


@pytest.mark.parametrize(("previous", "watch"), [("", "24h"), (CHAMPION, "0s")])
def test_nothing_is_watched_without_a_predecessor_or_a_watch(previous: str, watch: str) -> None:
    step = promoted(service=a_service(CANDIDATE, previous=previous), rollout={"watch": {"duration": watch}})
    assert (step.status.outcome, step.status.reason, step.status.promoted_at) == (Outcome.SUCCEEDED, "Promoted", NOW)


def test_a_candidate_that_lost_its_pods_before_the_switch_is_taken_back() -> None:
    step = promoted(backends={CHAMPION: 3}, deployments=[a_deployment(CANDIDATE)])
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "CandidateNotReady")
    assert kinds(step.effects) == ["SendTraffic", "ScaleVersion"]


def test_a_candidate_that_never_reaches_its_full_size_is_taken_back() -> None:
    pods = pods_of(CHAMPION, 3) + pods_of(CANDIDATE, ready=2, starting=1)
    timeline = [{"at": NOW - timedelta(seconds=601), "phase": "Promoting", "reason": "ScalingUp"}]
    deployments = [a_deployment(CHAMPION), a_deployment(CANDIDATE)]
    step = promoted(backends={}, pods=pods, deployments=deployments, run={"reason": "ScalingUp", "timeline": timeline})
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "CandidateNotReady")


@pytest.mark.parametrize("ready", [1, 3])
def test_a_suspended_policy_promotes_nobody(ready: int) -> None:
    step = promoted(suspend=True, backends={CHAMPION: 3, CANDIDATE: ready})
    assert (step.status.phase, step.status.reason, step.effects) == (Phase.PROMOTING, "Suspended", ())


def test_a_suspended_policy_takes_back_whom_it_cannot_promote() -> None:
    assert promoted(suspend=True, backends={CHAMPION: 3}).status.outcome is Outcome.ROLLED_BACK


def a_watched(rollout: Part = None, **status: Part) -> RunSeen:
    known: dict[str, Part] = {"analysis": an_analysis(0, 0, since_s=3600)} | status
    return a_run(Phase.WATCHING, policy=a_policy(rollout=rollout or {}), **known)


def a_watch(run: RunSeen, **parts: Part) -> Observation:
    old = a_deployment(CHAMPION, recycled_by=run.name)
    known: dict[str, Part] = {
        "service": a_service(CANDIDATE, previous=CHAMPION),
        "backends": {CANDIDATE: 3, CHAMPION: 3},
        "deployments": [old],
    } | parts
    return seen(a_policy(), run, **known)


def watched(run: RunSeen, figures: dict[str, tuple[float, float]] | None, **parts: Part) -> Step:
    said = answers(run) if figures is None else answers(run, ErrorRate=figures)
    return advance(run, a_watch(run, answers=said, **parts))


def test_a_regression_returns_the_previous_version_in_one_write() -> None:
    step = watched(a_watched(), BAD)
    assert (step.status.outcome, step.status.reason) == (Outcome.ROLLED_BACK, "RegressionInWatch")
    assert step.effects == (SendTraffic(CHAMPION, CANDIDATE), ScaleVersion(CANDIDATE, 0))


@pytest.mark.parametrize("figures", [None, {}, {CANDIDATE: (50.0, 60.0)}])
def test_a_watch_without_data_never_rolls_back(figures: dict[str, tuple[float, float]] | None) -> None:
    step = watched(a_watched(), figures)
    assert (step.status.phase, step.effects) == (Phase.WATCHING, ())


@pytest.mark.parametrize("figures", [None, {}, GOOD])
def test_an_earlier_failure_rolls_nobody_back_on_an_analysis_that_is_none(figures: dict[str, tuple[float, float]] | None) -> None:
    run = a_watched(analysis=an_analysis(0, 0, failed=3))
    assert watched(run, figures).status.phase is Phase.WATCHING


def test_a_regression_without_a_warm_predecessor_moves_nothing_and_is_remembered() -> None:
    step = watched(a_watched(), BAD, backends={CANDIDATE: 3})
    assert (step.status.reason, step.status.message.split("; ")[-1]) == (
        "PreviousNotReady",
        f"the previous version {CHAMPION} has no ready pod to return to",
    )
    assert (step.status.phase, step.effects) == (Phase.WATCHING, ())
    assert step.status.analysis is not None
    assert step.status.analysis.failed == 1


def test_a_predecessor_that_becomes_ready_takes_over_at_the_next_failure() -> None:
    assert watched(a_watched(analysis=an_analysis(0, 0, failed=1)), BAD).status.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize(("passed", "reason"), [(3, "Watched"), (0, "Unobserved")])
def test_the_end_of_the_watch_says_whether_anything_was_seen(passed: int, reason: str) -> None:
    run = a_watched(promoted_at=NOW - timedelta(hours=24), analysis=an_analysis(0, 0, passed=passed))
    step = watched(run, None)
    assert (step.status.outcome, step.status.reason) == (Outcome.SUCCEEDED, reason)


def test_a_watch_of_comparisons_alone_sees_nothing() -> None:
    compared = {"metrics": [{"preset": "Accuracy", "compare_to": "Champion", "max_regression": 0.02}]}
    run = a_watched(compared)
    step = advance(run, a_watch(run))
    assert (step.status, step.after) == (run.status, 23 * 3600)


def test_the_side_that_lost_its_traffic_is_restarted_once() -> None:
    run = a_watched(analysis=an_analysis(0, 0, last_at=NOW))
    fresh = advance(run, a_watch(run, deployments=[a_deployment(CHAMPION)]))
    assert fresh.effects == (RecycleVersion(CHAMPION, "churn-risk-57"),)
    assert advance(run, a_watch(run)).effects == ()


def test_a_version_that_no_longer_serves_is_no_longer_watched() -> None:
    run = a_watched()
    step = advance(run, a_watch(run, service=a_service(CHAMPION, previous=CANDIDATE)))
    assert (step.status.outcome, step.status.reason, step.effects) == (Outcome.SUPERSEDED, "NoLongerChampion", ())


def test_a_selector_that_somebody_changed_does_not_end_the_watch() -> None:
    run = a_watched(analysis=an_analysis(0, 0, last_at=NOW))
    hijacked = a_service(CANDIDATE, previous=CHAMPION, selector={"app": "other"})
    assert advance(run, a_watch(run, service=hijacked)).status.phase is Phase.WATCHING


def test_a_watch_goes_on_while_the_policy_is_suspended_and_still_rolls_back() -> None:
    run = a_watched()
    world = seen(a_policy(suspend=True), run, service=a_service(CANDIDATE, previous=CHAMPION), backends={CANDIDATE: 3, CHAMPION: 3},
                 answers=answers(run, ErrorRate=BAD))  # fmt: skip
    assert advance(run, world).status.outcome is Outcome.ROLLED_BACK


@pytest.mark.parametrize(("figures", "outcome"), [(GOOD, None), (BAD, Outcome.ROLLED_BACK)])
def test_a_promotion_that_is_held_back_goes_on_being_judged(figures: Part, outcome: Outcome | None) -> None:
    run = a_run(Phase.PROMOTING, reason="Suspended", analysis=an_analysis(1, 50, passed=5))
    world = {"service": a_service(shared=True), "backends": {CHAMPION: 3, CANDIDATE: 3}, "answers": answers(run, ErrorRate=figures)}
    step = advance(run, seen(a_policy(suspend=True), run, **world))
    assert step.status.outcome is outcome
    assert step.status.analysis is not None
    assert (step.status.analysis.passed, step.status.analysis.failed) == ((6, 0) if outcome is None else (5, 1))
    assert kinds(step.effects) == ([] if outcome is None else ["SendTraffic", "ScaleVersion"])


@pytest.mark.parametrize(("promote", "outcome"), [("", Outcome.ROLLED_BACK), (CANDIDATE, None)])
def test_a_candidate_goes_on_being_judged_while_its_last_pods_come_up_unless_a_person_promotes_it(
    promote: str, outcome: Outcome | None
) -> None:
    run = replace(a_run(Phase.PROMOTING, reason="ScalingUp", analysis=an_analysis(1, 50, passed=5)), promote=promote)
    pods = pods_of(CHAMPION, 3) + pods_of(CANDIDATE, ready=2, starting=1)
    world = {"service": a_service(shared=True), "pods": pods, "deployments": [a_deployment(CHAMPION), a_deployment(CANDIDATE)]}
    coming_up = seen(a_policy(), run, backends={}, answers=answers(run, ErrorRate=BAD), **world)
    assert bool(questions_due(coming_up.policy, coming_up.runs, NOW)) == (not promote)
    step = advance(run, coming_up)
    assert (step.status.outcome, step.status.reason) == (outcome, "AnalysisFailed" if outcome else "ScalingUp")
    assert kinds(step.effects) == (["SendTraffic", "ScaleVersion"] if outcome else [])


def test_a_promotion_held_back_between_two_analyses_waits_for_the_next() -> None:
    run = a_run(Phase.PROMOTING, reason="Suspended", analysis=an_analysis(1, 50, last_at=NOW))
    world = {"service": a_service(shared=True), "backends": {CHAMPION: 3, CANDIDATE: 3}}
    step = advance(run, seen(a_policy(suspend=True), run, **world))
    assert (step.status.phase, step.effects, step.after) == (Phase.PROMOTING, (), 60)

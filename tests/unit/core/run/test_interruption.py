from dataclasses import replace

import pytest

from retrainer.core.actions import DeleteJob, SendTraffic
from retrainer.core.observation import PolicySeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from tests.builders import CANDIDATE, CHAMPION, Part, a_job, a_policy, a_run, a_service, an_analysis, an_identity, kinds, seen

LIVE = sorted(set(Phase) - {Phase.FINISHED})
WAYS = [{"abort": CANDIDATE}, {"abort": "churn-risk-57"}, {"deleting": True}]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("phase", LIVE)
def test_a_live_run_ends_in_whatever_phase_it_is(phase: Phase, way: Part) -> None:
    run = a_run(phase, **way)
    step = advance(run, seen(a_policy(suspend=True), run))
    assert (step.status.phase, step.status.outcome, step.status.reason) == (Phase.FINISHED, Outcome.ABORTED, "Aborted")


@pytest.mark.parametrize("stale", ["true", CHAMPION, "churn-risk-56", CANDIDATE[:-1]])
def test_an_abort_that_names_another_version_does_nothing(stale: str) -> None:
    run = a_run(Phase.AWAITING_APPROVAL, abort=stale)
    assert advance(run, seen(a_policy(), run)).status.phase is Phase.AWAITING_APPROVAL


@pytest.mark.parametrize("phase", [Phase.VALIDATING, Phase.QUEUED, Phase.TRAINING])
def test_an_aborted_training_takes_its_own_job_with_it(phase: Phase) -> None:
    run = a_run(phase, abort=CANDIDATE)
    mine, other = a_job("churn-risk-57-train-1"), a_job("churn-risk-56-train-1", "churn-risk-56")
    done = a_job("churn-risk-57-validate-1", complete=True)
    assert advance(run, seen(a_policy(), run, jobs=[mine, other, done])).effects == (DeleteJob(mine.identity),)


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.PROMOTING])
def test_an_aborted_canary_returns_the_traffic_before_its_pods_go(phase: Phase) -> None:
    run = a_run(phase, abort=CANDIDATE, analysis=an_analysis())
    step = advance(run, seen(a_policy(), run, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}))
    assert kinds(step.effects) == ["SendTraffic", "ScaleVersion"]
    assert step.effects[0] == SendTraffic(CHAMPION, "")


def test_an_aborted_watch_moves_nothing_and_keeps_what_serves() -> None:
    run = a_run(Phase.WATCHING, abort=CANDIDATE)
    world = seen(a_policy(), run, service=a_service(CANDIDATE, previous=CHAMPION), backends={CANDIDATE: 3, CHAMPION: 3})
    assert advance(run, world).effects == ()


def test_a_version_that_got_all_the_traffic_just_before_the_abort_keeps_its_pods() -> None:
    run = a_run(Phase.PROMOTING, abort=CANDIDATE)
    world = seen(a_policy(), run, service=a_service(CANDIDATE, previous=CHAMPION), backends={CANDIDATE: 3, CHAMPION: 3})
    assert advance(run, world).effects == ()


def test_a_finished_run_is_past_being_aborted() -> None:
    run = a_run(Phase.FINISHED, abort=CANDIDATE, outcome="Succeeded", reason="Watched")
    step = advance(run, seen(a_policy(), run))
    assert (step.status, step.effects) == (run.status, ())


def a_namesake() -> PolicySeen:
    return replace(a_policy(), identity=an_identity("churn-risk", "another-uid"))


@pytest.mark.parametrize("phase", sorted(set(LIVE) - {Phase.PENDING}))
def test_a_run_that_a_policy_of_the_same_name_has_left_behind_ends(phase: Phase) -> None:
    run = a_run(phase, analysis=an_analysis())
    step = advance(run, seen(a_namesake(), run, service=a_service(""), backends={}))
    assert (step.status.phase, step.status.outcome, step.status.reason) == (Phase.FINISHED, Outcome.ABORTED, "PolicyDeleted")
    assert step.status.message == f"its policy was deleted in {phase}"


def test_a_run_that_has_not_begun_is_whichever_policys_that_has_the_name() -> None:
    run = a_run(policy=a_policy())
    assert advance(run, seen(a_namesake(), run)).status.phase is Phase.VALIDATING


def test_what_a_left_behind_canary_shares_is_returned_first() -> None:
    run = a_run(Phase.CANARY, analysis=an_analysis())
    step = advance(run, seen(a_namesake(), run, service=a_service(shared=True), backends={CHAMPION: 3, CANDIDATE: 1}))
    assert kinds(step.effects) == ["SendTraffic", "ScaleVersion"]

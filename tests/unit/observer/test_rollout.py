"""A candidate's weight rises above the first step only for a reason."""

from dataclasses import replace

import pytest

from tests.observer.checks.rollout import CandidateRises, first_step_replicas, shares
from tests.observer.world import Run
from tests.unit.observer.worlds import CANDIDATE, CHAMPION, NAMESPACE, POLICY_FACT, SERVICE, with_jobs, world

FIRST_STEP = {CHAMPION: 3, CANDIDATE: 1}


def serving_champion() -> CandidateRises:
    check = CandidateRises()
    assert not check.look(world(0.0, ready={CHAMPION: 3}))
    return check


def test_the_first_champion_needs_no_analysis() -> None:
    check = serving_champion()
    assert not check.take_rises()


def test_the_first_step_is_no_rise() -> None:
    check = serving_champion()
    assert not check.look(world(1.0, selects=None, ready=FIRST_STEP))
    assert not check.take_rises()


def test_further_replicas_with_weight_must_be_justified_by_the_time_since_the_step_began() -> None:
    check = serving_champion()
    check.look(world(10.0, selects=None, ready=FIRST_STEP))
    check.look(world(30.0, selects=None, ready=FIRST_STEP, asked={CHAMPION: 3, CANDIDATE: 3}))
    (rise,) = check.take_rises()
    assert (rise.candidate, rise.champion, rise.measured_from, rise.at) == (CANDIDATE, CHAMPION, 10.0, 30.0)


def test_promotion_must_be_justified_too() -> None:
    check = serving_champion()
    check.look(world(10.0, selects=None, ready=FIRST_STEP))
    check.look(world(30.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}))
    (rise,) = check.take_rises()
    assert rise.detail == "all the traffic"


def test_promotion_without_a_step_is_a_violation_at_once() -> None:
    check = serving_champion()
    (violation,) = check.look(world(10.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}))
    assert violation.invariant == "RiseNeedsGoodAnalysis"
    assert "without a step before" in violation.detail


def test_blue_green_has_no_step_to_rise_above() -> None:
    check = CandidateRises()
    blue_green = replace(POLICY_FACT, step_weights=())
    check.look(world(0.0, ready={CHAMPION: 3}, policy=blue_green))
    assert not check.look(world(10.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}, policy=blue_green))


def test_a_promotion_asked_for_by_a_person_needs_no_analysis() -> None:
    check = serving_champion()
    check.look(world(10.0, selects=None, ready=FIRST_STEP))
    run = Run((NAMESPACE, "churn-risk-2"), "churn-risk", CANDIDATE, promote=CANDIDATE)
    assert not check.look(with_jobs(world(11.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}), [], [run]))
    assert not check.take_rises()


def test_going_back_to_a_former_champion_needs_no_analysis() -> None:
    check = serving_champion()
    check.look(world(10.0, selects=None, ready=FIRST_STEP))
    check.look(world(30.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}))
    check.take_rises()
    assert not check.look(world(40.0, selects=CHAMPION, ready={CHAMPION: 3, CANDIDATE: 3}))
    assert not check.take_rises()


def test_a_candidate_whose_traffic_goes_back_to_the_champion_has_fallen() -> None:
    check = serving_champion()
    check.look(world(10.0, selects=None, ready=FIRST_STEP))
    assert not check.look(world(20.0, selects=CHAMPION, ready=FIRST_STEP))
    (fall,) = check.take_falls()
    assert (fall.candidate, fall.champion, fall.measured_from, fall.at) == (CANDIDATE, CHAMPION, 10.0, 20.0)
    assert not check.take_rises()


def test_a_warm_previous_beside_a_new_candidate_is_no_second_candidate() -> None:
    check = serving_champion()
    check.look(world(10.0, selects=None, ready=FIRST_STEP))
    check.look(world(30.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}))
    assert not check.look(world(50.0, selects=None, ready={CHAMPION: 3, CANDIDATE: 3, "20261124-030000-3": 1}))


def test_two_candidates_with_weight_are_a_violation() -> None:
    check = serving_champion()
    (violation,) = check.look(world(10.0, selects=None, ready={CHAMPION: 3, CANDIDATE: 1, "20261124-030000-3": 1}))
    assert "several candidates" in violation.detail


def test_an_observer_that_comes_during_a_canary_takes_the_champion_from_the_service() -> None:
    check = CandidateRises()
    seen = world(10.0, selects=None, ready=FIRST_STEP)
    marked = replace(seen, services={SERVICE: replace(seen.services[SERVICE], champion=CHAMPION)})
    assert not check.look(marked)
    check.look(world(20.0, selects=CANDIDATE, ready={CHAMPION: 3, CANDIDATE: 3}))
    (rise,) = check.take_rises()
    assert rise.measured_from == 10.0


@pytest.mark.parametrize(("replicas", "weight", "pods"), [(3, 10, 1), (1, 10, 1), (3, 50, 3), (9, 10, 1), (10, 10, 2), (20, 20, 5)])
def test_the_first_step_is_the_fewest_pods_that_reach_its_share(replicas: int, weight: int, pods: int) -> None:
    assert first_step_replicas(replace(POLICY_FACT, replicas=replicas, step_weights=(weight,))) == pods


def test_shares_are_of_the_ready_pods_that_the_selector_matches() -> None:
    seen = world(selects=None, ready=FIRST_STEP, unready={CANDIDATE: 2})
    assert shares(seen, seen.services[SERVICE]) == {CHAMPION: 75.0, CANDIDATE: 25.0}

"""What holds of a Service's traffic holds of a route's."""

from dataclasses import replace

from tests.observer.checks.route import ARouteAlwaysAnswers, RouteCandidateRises, RouteWeightNeedsAnEndpoint
from tests.observer.world import Route, Run, Slice, World
from tests.unit.observer.worlds import CANDIDATE, CHAMPION, NAMESPACE, POLICY_FACT, SERVICE, with_jobs, world

FIRST_STEP = {CHAMPION: 90, CANDIDATE: 10}


def routed(at: float, weights: dict[str, int], *, mirrored: str | None = None, steps: tuple[int, ...] = (10, 50), **ready: int) -> World:
    """Return a world in gateway mode, with so many ready endpoints of `champion` and `candidate` (3 and 1 unless told)."""
    counts = {CHAMPION: 3, CANDIDATE: 1} | {{"champion": CHAMPION, "candidate": CANDIDATE}[role]: count for role, count in ready.items()}
    route = Route(SERVICE, weights, mirrored)
    slices = {
        (NAMESPACE, f"slice-{version}"): Slice(route.service_of(version), frozenset(f"{version}-{number}" for number in range(count)))
        for version, count in counts.items()
    }
    policy = replace(POLICY_FACT, step_weights=steps)
    return replace(world(at, ready=counts, policy=policy), services={}, slices=slices, routes={SERVICE: route})


def serving_champion(steps: tuple[int, ...] = (10, 50)) -> RouteCandidateRises:
    check = RouteCandidateRises()
    assert not check.look(routed(0.0, {CHAMPION: 100}, steps=steps))
    return check


def test_a_route_that_reaches_nobody_after_it_has_answered_is_told_once() -> None:
    check = ARouteAlwaysAnswers()
    assert not check.look(routed(0.0, {CHAMPION: 100}, champion=0))
    assert not check.look(routed(9.0, {CHAMPION: 100}, champion=0)), "it has never answered yet"
    assert not check.look(routed(10.0, {CHAMPION: 100}))
    assert not check.look(routed(11.0, {CHAMPION: 100}, champion=0))
    (violation,) = check.look(routed(11.6, {CHAMPION: 100}, champion=0))
    assert violation.invariant == "WeightsSumAboveZero"
    assert not check.look(routed(12.0, {CHAMPION: 100}, champion=0))


def test_weights_of_zero_reach_nobody() -> None:
    check = ARouteAlwaysAnswers()
    check.look(routed(0.0, {CHAMPION: 100}))
    check.look(routed(1.0, {CHAMPION: 0}))
    assert check.look(routed(2.0, {CHAMPION: 0}))


def test_weight_given_to_a_version_without_an_endpoint_is_told_soon() -> None:
    check = RouteWeightNeedsAnEndpoint()
    assert not check.look(routed(0.0, FIRST_STEP, candidate=0))
    (violation,) = check.look(routed(0.6, FIRST_STEP, candidate=0))
    assert "was given weight without a ready endpoint" in violation.detail


def test_a_lost_endpoint_must_lose_its_weight_within_two_seconds() -> None:
    check = RouteWeightNeedsAnEndpoint()
    check.look(routed(0.0, FIRST_STEP))
    check.look(routed(10.0, FIRST_STEP, candidate=0))
    assert not check.look(routed(11.9, FIRST_STEP, candidate=0))
    (violation,) = check.look(routed(12.1, FIRST_STEP, candidate=0))
    assert "kept its weight" in violation.detail
    assert not check.look(routed(13.0, {CHAMPION: 100}, candidate=0))


def test_copies_of_requests_need_an_endpoint_too() -> None:
    check = RouteWeightNeedsAnEndpoint()
    check.look(routed(0.0, {CHAMPION: 100}, mirrored=CANDIDATE, candidate=0))
    assert check.look(routed(1.0, {CHAMPION: 100}, mirrored=CANDIDATE, candidate=0))


def test_the_first_step_and_a_shadow_are_no_rise() -> None:
    check = serving_champion()
    assert not check.look(routed(1.0, {CHAMPION: 100}, mirrored=CANDIDATE))
    assert not check.look(routed(2.0, FIRST_STEP))
    assert not check.take_rises()


def test_each_further_weight_must_be_justified_by_the_time_at_the_one_before() -> None:
    check = serving_champion()
    check.look(routed(10.0, FIRST_STEP))
    check.look(routed(30.0, {CHAMPION: 50, CANDIDATE: 50}))
    check.look(routed(50.0, {CANDIDATE: 100}))
    rises = check.take_rises()
    assert [(one.measured_from, one.at, one.detail) for one in rises] == [(10.0, 30.0, "50 %"), (30.0, 50.0, "100 %")]
    assert {(one.candidate, one.champion) for one in rises} == {(CANDIDATE, CHAMPION)}


def test_a_promotion_without_a_step_is_a_violation_unless_it_is_blue_green_or_a_persons_wish() -> None:
    (violation,) = serving_champion().look(routed(10.0, {CANDIDATE: 100}))
    assert "without a step before" in violation.detail
    assert not serving_champion(()).look(routed(10.0, {CANDIDATE: 100}, steps=()))
    run = Run((NAMESPACE, "churn-risk-2"), "churn-risk", CANDIDATE, promote=CANDIDATE)
    assert not serving_champion().look(with_jobs(routed(11.0, {CANDIDATE: 100}), [], [run]))


def test_a_first_weight_above_the_first_step_must_be_justified() -> None:
    check = serving_champion()
    check.look(routed(10.0, {CHAMPION: 50, CANDIDATE: 50}))
    assert [one.detail for one in check.take_rises()] == ["50 %"]


def test_traffic_that_goes_back_is_a_fall() -> None:
    check = serving_champion()
    check.look(routed(10.0, FIRST_STEP))
    assert not check.look(routed(20.0, {CHAMPION: 100}))
    (fall,) = check.take_falls()
    assert (fall.candidate, fall.champion, fall.at) == (CANDIDATE, CHAMPION, 20.0)


def test_two_candidates_with_weight_are_a_violation() -> None:
    (violation,) = serving_champion().look(routed(10.0, {CHAMPION: 80, CANDIDATE: 10, "20261124-030000-3": 10}))
    assert "several candidates" in violation.detail

"""Traffic always has somewhere to go, and goes only to what is ready."""

from tests.observer.checks.endpoints import AlwaysAnEndpoint, WeightNeedsAnEndpoint
from tests.unit.observer.worlds import CANDIDATE, CHAMPION, world


def test_a_service_that_never_had_an_endpoint_breaks_nothing() -> None:
    check = AlwaysAnEndpoint()
    assert not check.look(world(0.0, unready={CHAMPION: 1}))
    assert not check.look(world(60.0, unready={CHAMPION: 1}))


def test_a_service_without_a_ready_pod_after_it_has_served_is_told_once() -> None:
    check = AlwaysAnEndpoint()
    assert not check.look(world(0.0, ready={CHAMPION: 3}))
    assert not check.look(world(1.0, unready={CHAMPION: 3}))
    (violation,) = check.look(world(1.6, unready={CHAMPION: 3}))
    assert violation.invariant == "WeightsSumAboveZero"
    assert "0 ready pods selected" in violation.detail
    assert not check.look(world(1.8, unready={CHAMPION: 3}))


def test_a_selector_that_matches_nobody_is_told() -> None:
    check = AlwaysAnEndpoint()
    check.look(world(0.0, ready={CHAMPION: 3}))
    check.look(world(1.0, ready={CHAMPION: 3}, selects=CANDIDATE))
    assert check.look(world(2.0, ready={CHAMPION: 3}, selects=CANDIDATE))


def test_slices_without_an_endpoint_are_told_though_the_pods_look_ready() -> None:
    check = AlwaysAnEndpoint()
    check.look(world(0.0, ready={CHAMPION: 3}))
    check.look(world(1.0, ready={CHAMPION: 3}, listed=0))
    assert check.look(world(2.0, ready={CHAMPION: 3}, listed=0))


def test_the_skew_of_two_watches_is_no_outage_and_a_second_episode_is_told_again() -> None:
    check = AlwaysAnEndpoint()
    check.look(world(0.0, ready={CHAMPION: 3}))
    assert not check.look(world(1.0, unready={CHAMPION: 3}))
    assert not check.look(world(1.2, ready={CHAMPION: 3}))
    check.look(world(5.0, unready={CHAMPION: 3}))
    assert check.look(world(6.0, unready={CHAMPION: 3}))
    check.look(world(7.0, ready={CHAMPION: 3}))
    check.look(world(8.0, unready={CHAMPION: 3}))
    assert check.look(world(9.0, unready={CHAMPION: 3}))


def test_weight_given_to_a_candidate_that_is_not_ready_is_told() -> None:
    check = WeightNeedsAnEndpoint()
    assert not check.look(world(0.0, selects=None, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    (violation,) = check.look(world(0.6, selects=None, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    assert f"{CANDIDATE} was given weight without a ready endpoint" in violation.detail


def test_a_candidate_that_starts_outside_the_selector_has_no_weight() -> None:
    check = WeightNeedsAnEndpoint()
    assert not check.look(world(0.0, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    assert not check.look(world(60.0, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))


def test_a_candidate_that_loses_its_last_endpoint_must_lose_its_weight_within_two_seconds() -> None:
    check = WeightNeedsAnEndpoint()
    check.look(world(0.0, selects=None, ready={CHAMPION: 3, CANDIDATE: 1}))
    check.look(world(10.0, selects=None, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    assert not check.look(world(11.9, selects=None, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    (violation,) = check.look(world(12.1, selects=None, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    assert "kept its weight" in violation.detail


def test_a_candidate_whose_weight_is_taken_in_time_breaks_nothing() -> None:
    check = WeightNeedsAnEndpoint()
    check.look(world(0.0, selects=None, ready={CHAMPION: 3, CANDIDATE: 1}))
    check.look(world(10.0, selects=None, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    assert not check.look(world(11.0, selects=CHAMPION, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))
    assert not check.look(world(30.0, selects=CHAMPION, ready={CHAMPION: 3}, unready={CANDIDATE: 1}))

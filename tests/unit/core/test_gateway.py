"""Gateway mode: the same decisions as in replica mode, obeyed by the weights of a route."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.core.acceptance import problem
from retrainer.core.actions import ReleaseService, RemoveRoute, RemoveVersion, SendTraffic
from retrainer.core.housekeeping import tidy
from retrainer.core.observation import PolicySeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.route import RouteSeen
from retrainer.core.run import advance
from retrainer.core.sweeping import Orphans, sweep
from retrainer.core.traffic import mode_of
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    PREVIOUS,
    TEMPLATE,
    Part,
    a_deployment,
    a_neighbourhood,
    a_policy,
    a_route,
    a_run,
    a_service,
    an_analysis,
    answers,
    by_route,
    seen,
)
from tests.simulation import Simulation
from tests.stories import a_second_run, champion, first_version, go_on, outcome, phase, saying, version

BOTH = {CHAMPION: "10.96.0.8", CANDIDATE: "10.96.0.9"}
SHADOW = {"mirror": True, "metrics": [{"preset": "ErrorRate", "max": 0.01}, {"preset": "Accuracy", "min": 0.7}]}
REFUSED = "Gateway public does not accept the HTTPRoute (Accepted=False, NotAllowedByListeners)"


def weights(world: Simulation) -> dict[str, int]:
    assert world.route is not None
    return dict(world.route.routing.weights)


def writes(world: Simulation) -> list[SendTraffic]:
    return [effect for effect in world.performed if isinstance(effect, SendTraffic)]


def a_policy_by_route(*, rollout: Part = None, **gateway: Part) -> PolicySeen:
    return a_policy(rollout=rollout or {}, **by_route(**gateway))


@given(st.integers(1, 99), st.integers(1, 200))
def test_a_candidates_pod_has_no_more_to_answer_than_one_of_the_champions(weight: int, full: int) -> None:
    pods = mode_of(a_policy_by_route()).pods_for(weight, full)
    assert 1 <= pods <= full
    assert pods * 100 >= weight * full > (pods - 1) * 100 or pods == 1


def test_the_first_version_gets_a_route_and_the_service_stays_a_claim() -> None:
    world = first_version(**by_route())
    assert outcome(world, 1) == (Outcome.SUCCEEDED, "Promoted")
    assert weights(world) == {version(world, 1): 100}
    assert world.service is not None
    assert (world.service.champion, world.service.selector) == ("", {})


def test_a_promotion_is_one_write_for_each_step_and_the_shares_are_exact() -> None:
    world = first_version(**by_route())
    world.performed.clear()
    a_second_run(world)
    one, two = version(world, 1), version(world, 2)
    assert weights(world) == {one: 90, two: 10}
    traffic = world.policy.status.traffic
    assert traffic is not None
    assert (traffic.candidate_weight, traffic.effective_weight, traffic.candidate_ready) == (10, 10, 1)
    world.prometheus = saying(world, 0)
    go_on(world, 1)
    assert weights(world) == {one: 50, two: 50}
    go_on(world, 1)
    assert (phase(world, 2), weights(world), champion(world)) == (Phase.WATCHING, {two: 100}, two)
    assert [effect.weight for effect in writes(world)] == [10, 50, 0]
    assert world.ready(one) == 3


def test_a_bad_candidate_is_taken_back_by_one_write() -> None:
    world = first_version(**by_route())
    a_second_run(world)
    world.performed.clear()
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert writes(world) == [SendTraffic(version(world, 1), "")]
    assert world.addressed.keys() == {version(world, 1)}


def test_a_regression_in_the_watch_brings_the_warm_previous_version_back_by_one_write() -> None:
    world = first_version(rollout={"step_weights": []}, **by_route())
    a_second_run(world)
    assert (phase(world, 2), weights(world)) == (Phase.WATCHING, {version(world, 2): 100})
    world.performed.clear()
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "RegressionInWatch")
    assert writes(world) == [SendTraffic(version(world, 1), version(world, 2))]
    assert weights(world) == {version(world, 1): 100}


def test_no_pod_is_recycled_since_a_gateway_chooses_by_request() -> None:
    world = first_version(**by_route())
    a_second_run(world)
    world.prometheus = saying(world, 0)
    go_on(world, 4)
    assert phase(world, 2) is Phase.WATCHING
    assert not [one for one in world.deployments.values() if one.recycled_by]


def test_a_shadow_is_judged_by_its_errors_before_the_first_weight() -> None:
    world = first_version(rollout=SHADOW, **by_route())
    a_second_run(world)
    assert world.route is not None
    assert (weights(world), world.route.routing.mirrored) == ({version(world, 1): 100}, version(world, 2))
    assert (world.runs["churn-risk-2"].status.reason, world.ready(version(world, 2))) == ("Shadow", 3)
    world.prometheus = saying(world, 0)
    go_on(world, 1)
    assert (weights(world), world.route.routing.mirrored) == ({version(world, 1): 90, version(world, 2): 10}, "")
    assert world.ready(version(world, 2)) == 3


def test_a_shadow_that_errs_never_answers_a_client() -> None:
    world = first_version(rollout=SHADOW, **by_route())
    a_second_run(world)
    world.performed.clear()
    world.prometheus = saying(world, 100)
    go_on(world, 2)
    assert outcome(world, 2) == (Outcome.ROLLED_BACK, "AnalysisFailed")
    assert [effect.weight for effect in writes(world)] == [0]
    assert world.route is not None
    assert world.route.routing.mirrored == ""


def test_a_shadow_before_blue_green_is_promoted_at_once() -> None:
    world = first_version(rollout=SHADOW | {"step_weights": []}, **by_route())
    a_second_run(world)
    assert phase(world, 2) is Phase.CANARY
    world.prometheus = saying(world, 0)
    go_on(world, 1)
    assert (phase(world, 2), weights(world)) == (Phase.WATCHING, {version(world, 2): 100})


def test_accuracy_is_not_asked_of_a_shadow_whose_answers_nobody_acts_on() -> None:
    policy = a_policy_by_route(rollout=SHADOW | {"iterations": 1})
    run = a_run(Phase.CANARY, policy=policy, analysis=an_analysis(weight=0, mirrored=True))
    shadow = SendTraffic(CHAMPION, "", CANDIDATE, 0, mirrored=True)
    said = answers(run, ErrorRate={CANDIDATE: (0, 500)}, Accuracy={CANDIDATE: (0, 500)})
    world = seen(policy, run, route=a_route(asked=shadow), addressed=BOTH, backends={CHAMPION: 3, CANDIDATE: 3}, answers=said)
    assert advance(run, world).status.reason == "ShiftingTraffic"


def canary(route: RouteSeen, **analysis: Part) -> tuple[tuple[object, ...], str]:
    policy = a_policy_by_route()
    run = a_run(Phase.CANARY, policy=policy, analysis=analysis or None)
    step = advance(run, seen(policy, run, route=route, addressed=BOTH, backends={CHAMPION: 3, CANDIDATE: 1}))
    return step.effects, step.status.reason


def test_the_traffic_does_not_rise_while_a_gateway_refuses_the_route() -> None:
    assert canary(a_route()) == ((SendTraffic(CHAMPION, "", CANDIDATE, 10),), "ShiftingTraffic")
    assert canary(a_route(refusal=REFUSED)) == ((), "RouteNotAccepted")


def test_a_candidate_in_a_route_that_is_refused_loses_its_weight_at_once() -> None:
    shared = a_route(asked=SendTraffic(CHAMPION, "", CANDIDATE, 10), refusal=REFUSED)
    effects, reason = canary(shared)
    assert (effects[0], reason) == (SendTraffic(CHAMPION, ""), "RouteNotAccepted")


@pytest.mark.parametrize("phase", [Phase.CANARY, Phase.AWAITING_APPROVAL, Phase.PROMOTING])
def test_so_does_one_whose_weight_was_in_place_when_the_gateway_changed_its_mind(phase: Phase) -> None:
    policy = a_policy_by_route()
    run = a_run(phase, policy=policy, analysis=an_analysis(), template=TEMPLATE, template_generation=5)
    shared = a_route(asked=SendTraffic(CHAMPION, "", CANDIDATE, 10), refusal=REFUSED)
    step = advance(run, seen(policy, run, route=shared, addressed=BOTH, backends={CHAMPION: 3, CANDIDATE: 3}))
    assert step.effects[0] == SendTraffic(CHAMPION, "")
    assert (step.status.outcome, step.status.reason, step.status.message) == (Outcome.ROLLED_BACK, "RouteNotAccepted", REFUSED)


def test_while_no_gateway_takes_the_route_it_follows_what_git_says_of_them() -> None:
    elsewhere = a_policy_by_route(parent_refs=[{"name": "elsewhere"}])
    assert canary(a_route(policy=elsewhere, refusal=REFUSED)) == ((SendTraffic(CHAMPION, ""),), "RouteNotAccepted")


def test_a_gateway_that_cannot_copy_requests_is_told_before_anything_starts() -> None:
    policy = a_policy_by_route(rollout=SHADOW)

    def found(features: set[str] | None) -> str:
        told = problem(seen(policy, surroundings=a_neighbourhood(gateway_features=features)))
        return told.reason if told else ""

    assert [found(features) for features in (None, {"HTTPRouteRequestMirror"}, {"HTTPRouteMethodMatching"}, set())] == [
        "",
        "",
        "MirrorNotSupported",
        "MirrorNotSupported",
    ]


def test_a_gateway_that_leaves_cookies_out_is_told_before_anything_starts() -> None:
    def found(cookie: str, features: set[str] | None) -> str:
        told = problem(seen(a_policy_by_route(affinity_cookie=cookie), surroundings=a_neighbourhood(gateway_features=features)))
        return told.reason if told else ""

    able = {"HTTPRouteBackendRequestHeaderModification"}
    assert [found("met", features) for features in (None, able, {"HTTPRouteRequestMirror"})] == ["", "", "AffinityNotSupported"]
    assert found("", set()) == ""


def test_weights_that_somebody_else_has_changed_are_written_again() -> None:
    changed = a_route(asked=SendTraffic(CHAMPION, "", CANDIDATE, 60))
    assert canary(changed, **an_analysis(last_at=None))[0] == (SendTraffic(CHAMPION, "", CANDIDATE, 10),)


def test_a_refused_route_is_told_and_promises_no_share() -> None:
    policy = a_policy_by_route()
    route = a_route(asked=SendTraffic(CHAMPION, "", CANDIDATE, 10), refusal=REFUSED)
    world = seen(policy, route=route, service=a_service(""), backends={CHAMPION: 3})
    assert mode_of(policy).effective_weight(world, CANDIDATE) == 0
    told = Simulation(policy)
    told.route, told.addressed = replace(route, champion=CHAMPION), {CHAMPION: ""}
    told.deployments = {one.identity.name: one for one in [a_deployment(CHAMPION)]}
    told.control()
    told.round()
    [ready] = [one for one in told.policy.status.conditions if one.type == "Ready"]
    assert (ready.status, ready.reason, ready.message) == ("False", "RouteNotAccepted", REFUSED)


def test_a_cluster_without_the_gateway_api_is_told_what_is_missing() -> None:
    blind = a_neighbourhood(routes_are_watched=False)
    found = problem(seen(a_policy_by_route(), surroundings=blind))
    assert found is not None
    assert found.reason == "GatewayNotAvailable"
    assert "install the Gateway API" in found.message
    assert problem(seen(a_policy(), surroundings=blind)) is None


def test_what_git_says_of_gateways_and_hosts_is_followed_at_once() -> None:
    policy = a_policy_by_route(hostnames=["churn.example.org"])
    world = seen(policy, route=a_route(), addressed={CHAMPION: ""})
    assert tidy(world, traffic_moves=False) == (SendTraffic(CHAMPION, ""),)


def edited(world: Simulation, traffic: dict[str, Part]) -> None:
    wire = world.policy.spec.wire()
    wire["serving"]["traffic"] = traffic
    world.policy = replace(world.policy, spec=ModelRetrainPolicySpec.model_validate(wire), generation=world.policy.generation + 1)
    world.performed.clear()
    world.settle()


def test_a_policy_changes_its_mode_without_a_moment_in_which_nothing_serves() -> None:
    world = first_version()
    serving = champion(world)
    edited(world, {"gatewayAPI": {"parentRefs": [{"name": "public"}]}})
    assert [type(effect) for effect in world.performed if isinstance(effect, SendTraffic | ReleaseService)] == [SendTraffic, ReleaseService]
    assert (champion(world), weights(world)) == (serving, {serving: 100})
    edited(world, {"replicas": {}})
    assert [type(effect) for effect in world.performed if isinstance(effect, SendTraffic | RemoveRoute)] == [SendTraffic, RemoveRoute]
    assert (champion(world), world.route) == (serving, None)


def test_a_deleted_policys_candidate_is_swept_off_the_route_first() -> None:
    shared = replace(a_route(previous=PREVIOUS), routing=a_route(asked=SendTraffic(CHAMPION, PREVIOUS, CANDIDATE, 10)).routing)
    deployments = (a_deployment(CHAMPION), a_deployment(PREVIOUS), a_deployment(CANDIDATE))
    effects = sweep(Orphans(a_service(""), deployments, shared))
    assert effects == (SendTraffic(CHAMPION, PREVIOUS), RemoveVersion(deployments[2].identity))
    assert sweep(Orphans(a_service(""), deployments[:2], a_route(previous=PREVIOUS))) == ()


@pytest.mark.parametrize("phase", [Phase.DEPLOYING, Phase.CANARY])
def test_the_previous_version_stays_warm_during_a_canary_since_no_weight_reaches_it(phase: Phase) -> None:
    policy = a_policy_by_route()
    run = a_run(phase, policy=policy)
    backends = {CHAMPION: 3, PREVIOUS: 3, CANDIDATE: 1}
    world = seen(
        policy, run, route=a_route(previous=PREVIOUS), service=a_service(""), addressed=dict.fromkeys(backends, ""), backends=backends
    )
    assert tidy(world, traffic_moves=False) == ()
    assert not [effect for effect in advance(run, world).effects if getattr(effect, "version", "") == PREVIOUS]

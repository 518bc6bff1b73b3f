"""Gateway mode before a real data plane: exact shares, no request lost, one write for every move, and what is told when it cannot be."""

from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path

import pytest
import pytest_asyncio

from tests.client.burst import Target, burst
from tests.cluster.local.cluster import LocalCluster
from tests.data_planes import DataPlane, Gateways, Traefik, gateway_object
from tests.integration.audit import asked_at
from tests.integration.gateway.routed import (
    Trickle,
    by_route,
    failed,
    host,
    print_following,
    then_a_client_keeps_its_version,
    then_follows,
    then_split_is,
    then_weight_is,
    versions,
    weights,
)
from tests.integration.observing import observed
from tests.integration.stage import Stage
from tests.integration.team import SERVICE
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUESTS = 20_000
POINTS = 2.0
RETAKEN = "retrainer.dev/retaken-at"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def data_plane(gateways: Gateways) -> AsyncIterator[DataPlane]:
    """Give a gateway that routes; it is there before the operator is, which looks for its kinds once."""
    async with gateways.running(Traefik) as plane:
        yield plane


async def the_whole_story(stage: Stage, target: Target, champion: str) -> str:
    """Go through every step to the promotion and the return, and measure the split at each; returns the candidate."""
    passed: set[int] = set()
    stage.figures.of = lambda version: Figures() if weights(stage).get(version, 0) in passed or version == champion else None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    candidate = str(run["status"]["version"])
    for step, weight in enumerate((5, 10, 50), 1):
        await stage.then_run_is_in("churn-2", "Canary", f"Step{step}")
        await then_weight_is(stage, candidate, weight)
        told = {"candidateWeight": weight, "effectiveWeight": weight}
        await stage.then(lambda told=told: told.items() <= stage.policy_status()["traffic"].items(), f"the policy tells {weight} %")
        await then_split_is(stage, target, candidate, weight)
        passed.add(weight)
    await stage.then_run_is_in("churn-2", "Watching")
    await then_split_is(stage, target, candidate, 100)
    assert len(stage.pods_of(champion)) == 2, "the old champion stays warm"
    stage.figures.of = lambda version: Figures(errors=500 if version == candidate else 0)
    await stage.then_run_ends("churn-2", "RolledBack", "RegressionInWatch")
    await then_weight_is(stage, champion, 100)
    await then_follows(target, champion, 100)
    assert set(versions(await burst(target, 1000))) == {champion}
    return candidate


async def test_a_canary_is_promoted_and_comes_back_through_a_gateway_and_no_request_fails(
    stage: Stage, data_plane: DataPlane, control_plane: LocalCluster, tmp_path: Path
) -> None:
    rollout = {"stepWeights": [5, 10, 50], "interval": "2s", "watch": {"duration": "1h"}}
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane), rollout=rollout)
    target = Target(data_plane.port, host(stage))
    await stage.then_condition("Ready", "True", "Accepted")
    assert stage.service()["spec"].get("selector") is None, "the Service is only the claim"
    async with observed(control_plane, tmp_path / "observer.jsonl") as observations:
        callers = Trickle(target)
        candidate = await the_whole_story(stage, target, champion)
        hits = await callers.stop()
    assert failed(hits) == []
    assert observations.violations(stage.namespace) == []
    assert observations.shares(stage.namespace) == [
        {champion: 100.0},
        *({champion: 100.0 - weight, candidate: float(weight)} for weight in (5, 10, 50)),
        {candidate: 100.0},
        {champion: 100.0},
    ]
    written = await stage.audit.writes(stage.namespace, "httproutes")
    assert len(written) == 6, "one write of the route for every move"
    before_the_return = [hit for hit in hits if hit.sent < asked_at(written[-1]).timestamp()]
    print_following("promotion", before_the_return, asked_at(written[-2]), champion, candidate)
    print_following("return", hits, asked_at(written[-1]), candidate, champion)


async def test_a_shadow_is_refused_where_the_gateway_cannot_copy_requests(stage: Stage, data_plane: DataPlane) -> None:
    """Traefik knows no RequestMirror: it would accept the route and answer every request with 500."""
    await stage.given_a_platform()
    await stage.given_a_policy(serving=by_route(stage, data_plane), rollout={"stepWeights": [50], "mirror": True})
    told = await stage.then_condition("Ready", "False", "MirrorNotSupported")
    assert "HTTPRouteRequestMirror" in told["message"]
    await stage.when_changed(rollout={"mirror": False})
    await stage.then_run_ends("churn-1", "Succeeded", "Promoted")


async def test_a_client_that_comes_back_with_its_cookie_meets_the_same_version(stage: Stage, data_plane: DataPlane) -> None:
    await then_a_client_keeps_its_version(stage, data_plane)


async def test_affinity_is_refused_where_the_gateways_class_does_not_list_filters_on_backends(stage: Stage) -> None:
    mute = {"gatewayClassName": "mute", "listeners": [{"name": "web", "protocol": "HTTP", "port": 80}]}
    await stage.api.create("gateways", gateway_object("Gateway", "mute", mute, stage.namespace))
    await stage.given_a_platform()
    serving = {"deploymentRef": {"name": "churn-api"}, "service": {"name": SERVICE, "targetPort": stage.models.port}}
    traffic = {"gatewayAPI": {"parentRefs": [{"name": "mute"}], "affinityCookie": "met"}}
    await stage.given_a_policy(serving=serving | {"replicas": 2, "traffic": traffic})
    told = await stage.then_condition("Ready", "False", "AffinityNotSupported")
    assert "HTTPRouteBackendRequestHeaderModification" in told["message"]


async def test_the_weight_is_taken_within_two_seconds_of_losing_the_last_ready_endpoint(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane), rollout={"stepWeights": [50]})
    stage.figures.of = lambda _: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    candidate = run["status"]["version"]
    stage.kubelet.play(admits=lambda version, ready: version != candidate)
    [pod] = stage.seen.all("pods", version=candidate)
    lost = datetime.now().astimezone()
    await stage.api.delete("pods", stage.namespace, pod["metadata"]["name"])
    await stage.then_run_ends("churn-2", "RolledBack", "CandidateNotReady")
    returned = (await stage.audit.writes(stage.namespace, "httproutes"))[-1]
    assert weights(stage) == {champion: 100}
    assert (asked_at(returned) - lost).total_seconds() < 2
    await then_follows(Target(data_plane.port, host(stage)), champion, 100)


async def test_a_route_that_no_gateway_takes_is_told_and_the_traffic_does_not_rise(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane), rollout={"stepWeights": [50]})
    await stage.then_condition("Ready", "True", "Accepted")
    await stage.when_changed(serving={"traffic": {"gatewayAPI": {"parentRefs": [data_plane.parent() | {"sectionName": "https"}]}}})
    ready = await stage.then_condition("Ready", "False", "RouteNotAccepted")
    assert "Gateway" in ready["message"]
    await stage.when_paged()
    await stage.then_run_is_in("churn-2", "Canary", "RouteNotAccepted")
    assert weights(stage) == {champion: 100}
    await stage.when_changed(serving={"traffic": {"gatewayAPI": {"parentRefs": [data_plane.parent()]}}})
    await stage.then_run_ends("churn-2", "Succeeded", "Promoted")


async def test_a_canary_whose_route_the_gateway_no_longer_takes_goes_back_though_its_figures_are_good(
    stage: Stage, data_plane: DataPlane
) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane), rollout={"stepWeights": [50], "iterations": 100})
    await stage.when_paged()
    await stage.then_run_is_in("churn-2", "Canary", "Step1")
    await stage.when_changed(serving={"traffic": {"gatewayAPI": {"parentRefs": [data_plane.parent() | {"sectionName": "https"}]}}})
    await stage.then_run_ends("churn-2", "RolledBack", "RouteNotAccepted")
    assert weights(stage) == {champion: 100}


@pytest.mark.breaks("RiseNeedsGoodAnalysis")
async def test_a_route_that_somebody_else_changes_twice_is_left_alone(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane))
    theirs = [{"backendRefs": [{"name": "elsewhere", "port": 80}]}]
    await stage.api.patch("httproutes", stage.namespace, SERVICE, {"spec": {"rules": theirs}})
    await stage.then(lambda: RETAKEN in (stage.seen.one("httproutes", SERVICE) or {})["metadata"]["annotations"], "the change is undone")
    assert weights(stage) == {champion: 100}
    await stage.api.patch("httproutes", stage.namespace, SERVICE, {"spec": {"rules": theirs}})
    stalled = await stage.then_condition("Stalled", "True", "FieldConflict")
    assert "HTTPRoute" in stalled["message"]
    assert weights(stage) == {"elsewhere": 1}


async def test_shadowing_without_a_gateway_is_refused_at_the_door(stage: Stage, data_plane: DataPlane) -> None:
    with pytest.raises(Exception, match=r"rollout\.mirror needs serving\.traffic\.gatewayAPI"):
        await stage.given_a_policy(rollout={"mirror": True})
    both = {"traffic": {"replicas": {}, "gatewayAPI": {"parentRefs": [data_plane.parent()]}}}
    with pytest.raises(Exception, match="set exactly one of replicas and gatewayAPI"):
        await stage.given_a_policy(serving=by_route(stage, data_plane) | both)
    with pytest.raises(Exception, match="add a metric ErrorRate or Latency with max"):
        await stage.given_a_policy(
            serving=by_route(stage, data_plane), rollout={"mirror": True, "metrics": [{"preset": "Accuracy", "min": 0.5}]}
        )


async def test_a_policy_changes_its_mode_by_what_is_applied_and_something_serves_all_the_time(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion()
    assert stage.serves_alone(champion)
    await stage.given_a_policy(serving=by_route(stage, data_plane))
    await stage.then(lambda: weights(stage) == {champion: 100}, "the route shares")
    await stage.then_condition("Ready", "True", "Accepted")
    await then_follows(Target(data_plane.port, host(stage)), champion, 100)
    await stage.then(lambda: "selector" not in stage.service()["spec"], "the Service is only the claim")
    assert "retrainer.dev/champion" not in stage.service()["metadata"].get("annotations", {})
    await stage.given_a_policy()
    await stage.then_serves(champion)
    await stage.then(lambda: stage.seen.one("httproutes", SERVICE) is None, "the route is gone")
    assert len(stage.pods_of(champion)) == 2


async def test_a_policy_deleted_in_its_canary_leaves_the_route_to_the_champion(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane), rollout={"stepWeights": [50]})
    stage.figures.of = lambda _: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    await then_weight_is(stage, champion, 100)
    await stage.then(lambda: not stage.pods_of(run["status"]["version"]), "the candidate's pods are gone")
    await stage.then(lambda: stage.seen.one("services", f"{SERVICE}-{run['status']['version']}") is None, "so is its Service")
    target = Target(data_plane.port, host(stage))
    await then_follows(target, champion, 100)
    hits = await burst(target, 200)
    assert (failed(hits), set(versions(hits))) == ([], {champion})

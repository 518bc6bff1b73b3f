"""Gateway mode before a real data plane: exact shares, no request lost, one write for every move, and what is told when it cannot be."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import datetime
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from retrainer.api.v1alpha1.traffic import ParentRef
from retrainer.core.actions import SendTraffic
from retrainer.core.route import Routing
from retrainer.manifests.route import route
from retrainer.manifests.serving import Claim
from tests.client.burst import Hit, Target, burst, call_while
from tests.cluster.kubectl import install_kinds
from tests.cluster.local.cluster import LocalCluster
from tests.integration.account import Account
from tests.integration.audit import asked_at
from tests.integration.data_plane import DataPlane, local_addresses, parent, remove_kinds
from tests.integration.observing import observed
from tests.integration.stage import Stage, Theatre
from tests.integration.team import SERVICE
from tests.stand_ins.api import Api
from tests.stand_ins.endpoints import EndpointsFaker
from tests.stand_ins.gateway import PlayedGateway
from tests.stand_ins.live_figures import Figures
from tests.stand_ins.mirror import RESOURCES
from tests.stand_ins.model_server import ModelServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

REQUESTS = 20_000
POINTS = 2.0
RETAKEN = "retrainer.dev/retaken-at"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def data_plane(control_plane: LocalCluster, account: Account, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[DataPlane]:
    """Give a gateway that routes; it is there before the operator is, which looks for it once."""
    await asyncio.to_thread(install_kinds, account.kubectl, control_plane.binary("gateway-api.yaml"))
    api = await Api.of(control_plane.kubeconfig)
    plane = DataPlane(control_plane, account.kubectl, api, tmp_path_factory.mktemp("traefik"))
    await plane.start()
    yield plane
    await plane.stop()
    await api.close()
    await asyncio.to_thread(remove_kinds, control_plane, account)


@pytest.fixture(scope="module")
def network() -> Iterator[IPv4Network]:
    with local_addresses() as network:
        yield network


@pytest_asyncio.fixture(loop_scope="session")
async def stage(data_plane: DataPlane, theatre: Theatre, network: IPv4Network) -> AsyncIterator[Stage]:
    """Give a stage whose pods a gateway reaches."""
    assert data_plane.port
    async with theatre.stage("gateway", ModelServer(network), (*RESOURCES, "httproutes")) as stage:
        endpoints = EndpointsFaker(stage.api, stage.seen)
        endpoints.start()
        yield stage
        await endpoints.stop()


def host(stage: Stage) -> str:
    return f"{stage.namespace}.example.org"


def by_route(stage: Stage, **gateway: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of `gatewayAPI`
    """Return the `serving` of a policy in gateway mode."""
    traffic = {"gatewayAPI": {"parentRefs": [parent()], "hostnames": [host(stage)]} | gateway}
    service = {"name": SERVICE, "targetPort": stage.models.port}
    return {"deploymentRef": {"name": "churn-api"}, "replicas": 2, "service": service, "traffic": traffic}


def weights(stage: Stage) -> dict[str, int]:
    """Return the shares in the route, by version."""
    route = stage.seen.one("httproutes", SERVICE)
    backends = route["spec"]["rules"][-1]["backendRefs"] if route else []
    return {one["name"].removeprefix(f"{SERVICE}-"): one["weight"] for one in backends}


async def then_weight_is(stage: Stage, version: str, weight: int) -> None:
    await stage.then(lambda: weights(stage).get(version) == weight, f"{version} has {weight} %")


def versions(hits: list[Hit]) -> Counter[str]:
    return Counter(hit.version for hit in hits)


def failed(hits: list[Hit]) -> list[Hit]:
    return [hit for hit in hits if hit.status != 200]


class Trickle:
    """Callers that never stop, over kept-alive connections, from the first step to the last."""

    def __init__(self, target: Target) -> None:
        self._going = True
        self._calls = asyncio.create_task(call_while(target, lambda: self._going, connections=4))

    async def stop(self) -> list[Hit]:
        """Return what came of every request."""
        self._going = False
        return await self._calls


async def then_follows(target: Target, candidate: str, weight: int) -> None:
    """Return once the gateway shares requests about as it was told: a busy machine takes its time."""
    async with asyncio.timeout(30):
        while abs(100 * versions(hits := await burst(target, 400))[candidate] / len(hits) - weight) > 2 * POINTS:
            pass


async def then_split_is(stage: Stage, target: Target, candidate: str, weight: int) -> None:
    """Measure the split of many requests over kept-alive connections, and print it."""
    await then_follows(target, candidate, weight)
    hits = await burst(target, REQUESTS)
    share = 100 * versions(hits)[candidate] / len(hits)
    print(f"asked {weight} %: {share:.2f} % of {len(hits)} requests, {len(failed(hits))} failed")
    assert failed(hits) == []
    assert len(hits) == REQUESTS
    assert abs(share - weight) <= POINTS, stage.picture()


def print_following(name: str, hits: list[Hit], write: datetime, gone: str, come: str) -> None:
    """Print how long after a write the first request met the version that came, and the last one the version that went."""
    at = write.timestamp()
    first = min((hit.sent for hit in hits if hit.version == come and hit.sent > at), default=at)
    last = max((hit.sent for hit in hits if hit.version == gone), default=at)
    print(f"{name}: first request to follow {1000 * (first - at):.0f} ms after the write, last of the old {1000 * (last - at):.0f} ms")


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
    champion = await stage.given_a_champion(serving=by_route(stage), rollout=rollout)
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


async def test_a_shadow_is_refused_where_the_gateway_cannot_copy_requests(stage: Stage) -> None:
    """Traefik knows no RequestMirror: it would accept the route and answer every request with 500."""
    await stage.given_a_platform()
    await stage.given_a_policy(serving=by_route(stage), rollout={"stepWeights": [50], "mirror": True})
    told = await stage.then_condition("Ready", "False", "MirrorNotSupported")
    assert "HTTPRouteRequestMirror" in told["message"]
    await stage.when_changed(rollout={"mirror": False})
    await stage.then_run_ends("churn-1", "Succeeded", "Promoted")


async def test_a_shadow_gets_copies_and_is_judged_by_them_before_its_first_weight(stage: Stage) -> None:
    """No data plane built here copies requests, so this one is played; that its class says it can is read as of any other."""
    gateway = PlayedGateway(stage.api, stage.seen, stage.namespace)
    await gateway.start()
    rollout = {"stepWeights": [50], "mirror": True}
    champion = await stage.given_a_champion(serving=by_route(stage, parentRefs=[{"name": "played"}]), rollout=rollout)
    await stage.then_condition("Ready", "True", "Accepted")
    stage.figures.of = lambda _: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Shadow")
    candidate = run["status"]["version"]
    assert len(stage.pods_of(candidate)) == 2, "it gets as many requests as the champion"
    [rule] = (stage.seen.one("httproutes", SERVICE) or {})["spec"]["rules"]
    assert weights(stage) == {champion: 100}
    assert [one["requestMirror"]["backendRef"]["name"] for one in rule["filters"]] == [f"{SERVICE}-{candidate}"]
    stage.figures.of = lambda _: Figures()
    await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    written = await stage.audit.writes(stage.namespace, "httproutes")
    [*_, shadow, shared, promoted] = [one["responseObject"]["spec"]["rules"][-1] for one in written]
    assert ["filters" in rule for rule in (shadow, shared, promoted)] == [True, False, False]
    assert [[backend["weight"] for backend in rule["backendRefs"]] for rule in (shadow, shared, promoted)] == [[100], [50, 50], [100]]
    await gateway.stop()


async def test_a_client_that_comes_back_with_its_cookie_meets_the_same_version(stage: Stage, data_plane: DataPlane) -> None:
    """Traefik gives no cookies, so no policy may ask it to; that it keeps those who have one is shown on the rules alone."""
    champion = await stage.given_a_champion(serving=by_route(stage), rollout={"stepWeights": [50]})
    stage.figures.of = lambda _: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    candidate = run["status"]["version"]
    claim = Claim(stage.namespace, SERVICE, "churn", "", ())
    shared = (champion, 50), (candidate, 50)
    kept = Routing((ParentRef.model_validate(parent()),), ("kept.example.org",), 80, shared, cookie="met")
    manifest = route(claim, None, SendTraffic(champion, "", candidate, 50), kept)
    manifest["metadata"] = {"namespace": stage.namespace, "name": "kept"}
    await stage.api.create("httproutes", manifest)
    target = Target(data_plane.port, "kept.example.org")
    async with asyncio.timeout(30):
        while set(versions(await burst(target, 100))) != {champion, candidate}:
            pass
    for version in (champion, candidate):
        hits = await burst(replace(target, cookie=f"theme=dark; met={version}"), 400)
        assert (failed(hits), set(versions(hits))) == ([], {version})


async def test_affinity_is_refused_where_the_gateway_gives_no_cookies(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(serving=by_route(stage, affinityCookie="met"))
    told = await stage.then_condition("Ready", "False", "AffinityNotSupported")
    assert "HTTPRouteBackendRequestHeaderModification" in told["message"]


async def test_the_weight_is_taken_within_two_seconds_of_losing_the_last_ready_endpoint(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage), rollout={"stepWeights": [50]})
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


async def test_a_route_that_no_gateway_takes_is_told_and_the_traffic_does_not_rise(stage: Stage) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage), rollout={"stepWeights": [50]})
    await stage.then_condition("Ready", "True", "Accepted")
    await stage.when_changed(serving={"traffic": {"gatewayAPI": {"parentRefs": [parent() | {"sectionName": "https"}]}}})
    ready = await stage.then_condition("Ready", "False", "RouteNotAccepted")
    assert "Gateway" in ready["message"]
    await stage.when_paged()
    await stage.then_run_is_in("churn-2", "Canary", "RouteNotAccepted")
    assert weights(stage) == {champion: 100}
    await stage.when_changed(serving={"traffic": {"gatewayAPI": {"parentRefs": [parent()]}}})
    await stage.then_run_ends("churn-2", "Succeeded", "Promoted")


async def test_a_route_that_somebody_else_changes_twice_is_left_alone(stage: Stage) -> None:
    champion = await stage.given_a_champion(serving=by_route(stage))
    theirs = [{"backendRefs": [{"name": "elsewhere", "port": 80}]}]
    await stage.api.patch("httproutes", stage.namespace, SERVICE, {"spec": {"rules": theirs}})
    await stage.then(lambda: RETAKEN in (stage.seen.one("httproutes", SERVICE) or {})["metadata"]["annotations"], "the change is undone")
    assert weights(stage) == {champion: 100}
    await stage.api.patch("httproutes", stage.namespace, SERVICE, {"spec": {"rules": theirs}})
    stalled = await stage.then_condition("Stalled", "True", "FieldConflict")
    assert "HTTPRoute" in stalled["message"]
    assert weights(stage) == {"elsewhere": 1}


async def test_shadowing_without_a_gateway_is_refused_at_the_door(stage: Stage) -> None:
    with pytest.raises(Exception, match=r"rollout\.mirror needs serving\.traffic\.gatewayAPI"):
        await stage.given_a_policy(rollout={"mirror": True})
    both = {"traffic": {"replicas": {}, "gatewayAPI": {"parentRefs": [parent()]}}}
    with pytest.raises(Exception, match="set exactly one of replicas and gatewayAPI"):
        await stage.given_a_policy(serving=by_route(stage) | both)
    with pytest.raises(Exception, match="add a metric ErrorRate or Latency with max"):
        await stage.given_a_policy(serving=by_route(stage), rollout={"mirror": True, "metrics": [{"preset": "Accuracy", "min": 0.5}]})


async def test_a_policy_changes_its_mode_by_what_is_applied_and_something_serves_all_the_time(stage: Stage, data_plane: DataPlane) -> None:
    champion = await stage.given_a_champion()
    assert stage.serves_alone(champion)
    await stage.given_a_policy(serving=by_route(stage))
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
    champion = await stage.given_a_champion(serving=by_route(stage), rollout={"stepWeights": [50]})
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

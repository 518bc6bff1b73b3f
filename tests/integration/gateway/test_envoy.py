"""What Traefik cannot do is shown through Envoy Gateway, whose class lists no features: the administrator says what it can do."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Final

import pytest
import pytest_asyncio

from tests.client.burst import Target, burst
from tests.data_planes import DataPlane, EnvoyGateway, Gateways
from tests.integration.gateway.routed import (
    Trickle,
    by_route,
    failed,
    host,
    then_a_client_keeps_its_version,
    then_follows,
    versions,
    weights,
)
from tests.integration.stage import Stage
from tests.integration.team import SERVICE
from tests.stand_ins.live_figures import Figures

pytestmark = pytest.mark.asyncio(loop_scope="session")

FEATURES: Final = ["HTTPRouteRequestMirror", "HTTPRouteBackendRequestHeaderModification"]
OPERATOR_SETTINGS: Final = {"gateway_features": json.dumps({EnvoyGateway.name: FEATURES})}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def data_plane(gateways: Gateways) -> AsyncIterator[DataPlane]:
    """Give a gateway that copies; it is there before the operator is, which looks for its kinds once."""
    async with gateways.running(EnvoyGateway) as plane:
        yield plane


async def test_a_shadow_gets_copies_and_is_judged_by_them_before_its_first_weight(stage: Stage, data_plane: DataPlane) -> None:
    rollout = {"stepWeights": [50], "mirror": True}
    champion = await stage.given_a_champion(serving=by_route(stage, data_plane), rollout=rollout)
    await stage.then_condition("Ready", "True", "Accepted")
    target = Target(data_plane.port, host(stage))
    await then_follows(target, champion, 100)
    callers = Trickle(target)
    stage.figures.of = lambda _: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Shadow")
    candidate = run["status"]["version"]
    assert len(stage.pods_of(candidate)) == 2, "it gets as many requests as the champion"
    assert weights(stage) == {champion: 100}
    await then_the_shadow_answers_nobody(stage, target, champion, candidate)
    stage.figures.of = lambda _: Figures()
    await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    await then_follows(target, candidate, 100)
    assert failed(await callers.stop()) == []
    written = await stage.audit.writes(stage.namespace, "httproutes")
    [*_, shadow, shared, promoted] = [one["responseObject"]["spec"]["rules"][-1] for one in written]
    copies = [one["requestMirror"]["backendRef"]["name"] for one in shadow["filters"]]
    assert (copies, "filters" in shared, "filters" in promoted) == ([f"{SERVICE}-{candidate}"], False, False)
    assert [[backend["weight"] for backend in rule["backendRefs"]] for rule in (shadow, shared, promoted)] == [[100], [50, 50], [100]]


async def then_the_shadow_answers_nobody(stage: Stage, target: Target, champion: str, candidate: str) -> None:
    """Send requests of which each reaches both versions, and whose answers all are the champion's."""
    async with asyncio.timeout(30):
        while candidate not in stage.models.asked[-20:]:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    begun = len(stage.models.asked)
    hits = await burst(target, 2000)
    async with asyncio.timeout(10):  # a copy is sent on without anybody waiting for it
        while stage.models.asked[begun:].count(candidate) < len(hits):  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.1)
    asked = stage.models.asked[begun:]
    print(f"{len(hits)} requests, {asked.count(champion)} to the champion and {asked.count(candidate)} copies")
    assert (failed(hits), set(versions(hits))) == ([], {champion})
    assert asked.count(candidate) >= len(hits)
    assert asked.count(candidate) == pytest.approx(asked.count(champion), rel=0.05)


async def test_a_client_that_comes_back_with_its_cookie_meets_the_same_version(stage: Stage, data_plane: DataPlane) -> None:
    await then_a_client_keeps_its_version(stage, data_plane)

"""The words in which the tests of the gateway mode speak: routes and their weights, and what callers met."""

import asyncio
from collections import Counter
from dataclasses import replace
from datetime import datetime
from typing import Any

from tests.client.burst import Hit, Target, burst, call_while
from tests.data_planes import DataPlane
from tests.integration.stage import Stage
from tests.integration.team import SERVICE
from tests.stand_ins.live_figures import Figures

REQUESTS = 20_000
POINTS = 2.0


def host(stage: Stage) -> str:
    return f"{stage.namespace}.example.org"


def by_route(stage: Stage, plane: DataPlane, **gateway: Any) -> dict[str, Any]:  # noqa: ANN401 - fields of `gatewayAPI`
    """Return the `serving` of a policy whose route a gateway carries."""
    traffic = {"gatewayAPI": {"parentRefs": [plane.parent()], "hostnames": [host(stage)]} | gateway}
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


async def then_a_client_keeps_its_version(stage: Stage, plane: DataPlane) -> None:
    """Go through a canary with a cookie: new clients are shared by weight, and who has met a version meets it again."""
    rollout = {"stepWeights": [30]}
    champion = await stage.given_a_champion(serving=by_route(stage, plane, affinityCookie="met"), rollout=rollout)
    await stage.then_condition("Ready", "True", "Accepted")
    stage.figures.of = lambda _: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    candidate, target = str(run["status"]["version"]), Target(plane.port, host(stage))
    await then_split_is(stage, target, candidate, 30)
    assert {(hit.version, hit.cookie) for hit in await burst(target, 400)} == {
        (version, f"met={version}; Path=/; HttpOnly; SameSite=Lax") for version in (champion, candidate)
    }
    for version in (champion, candidate):
        hits = await burst(replace(target, cookie=f"theme=dark; met={version}"), 400)
        assert (failed(hits), set(versions(hits)), {hit.cookie for hit in hits}) == ([], {version}, {""})
    stage.figures.of = lambda _: Figures()
    await stage.then_run_ends("churn-2", "Succeeded", "Promoted")
    await then_follows(target, candidate, 100)
    hits = await burst(replace(target, cookie=f"met={champion}"), 400)
    assert (failed(hits), set(versions(hits)), {hit.cookie for hit in hits}) == ([], {candidate}, {""})

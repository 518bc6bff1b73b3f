"""The stories of the gateway mode: requests are shared by the weights of an HTTPRoute."""

from typing import Any

from tests.crash.gateway import PlayedGateway
from tests.crash.steps import BAD, first_version, next_version, serving
from tests.integration import team
from tests.integration.stage import Stage
from tests.stand_ins.live_figures import Figures


async def routed(stage: Stage) -> None:
    """A first version, a shadow, a canary, a promotion, and a watch in which the new version errs."""
    await _given_a_gateway(stage)
    rollout = {"stepWeights": [50], "mirror": True, "watch": {"duration": "1h"}}
    champion = await first_version(stage, serving=serving(stage, **_by_route()), rollout=rollout)
    stage.figures.of = lambda version: BAD if version != champion and _has_everything(stage, version) else Figures()
    await next_version(stage, "churn-2", "f1")
    await stage.then_run_ends("churn-2", "RolledBack", "RegressionInWatch")


async def mode_change(stage: Stage) -> None:
    """What serves behind a Service is reached by a route, and then by the Service again."""
    await _given_a_gateway(stage)
    version = await first_version(stage)
    await stage.when_changed(serving=serving(stage, replicas=None, **_by_route()))
    await stage.then(lambda: _has_everything(stage, version) and not stage.service()["spec"].get("selector"), "the route carries it")
    await stage.when_changed(serving=serving(stage, replicas={}, gatewayAPI=None))
    await stage.then_serves(version)
    await stage.then(lambda: stage.seen.one("httproutes", team.SERVICE) is None, "the route is gone")


async def _given_a_gateway(stage: Stage) -> None:
    await PlayedGateway(stage.api, stage.seen, stage.namespace).start()


def _by_route() -> dict[str, Any]:
    return {"gatewayAPI": {"parentRefs": [{"name": "played"}]}}


def _has_everything(stage: Stage, version: str) -> bool:
    route = stage.seen.one("httproutes", team.SERVICE)
    backends = route["spec"]["rules"][-1]["backendRefs"] if route else []
    return [one["name"] for one in backends] == [f"{team.SERVICE}-{version}"]

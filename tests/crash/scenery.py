"""What stands around a story where there is no node: everything that a kubelet and kube-proxy would do is played."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from ipaddress import IPv4Network
from typing import Final

from retrainer.core.naming import VERSION
from tests.integration.stage import Stage, Theatre
from tests.stand_ins.endpoints import EndpointsFaker
from tests.stand_ins.mirror import RESOURCES
from tests.stand_ins.model_server import ModelServer

SEEN: Final = (*RESOURCES, "cronjobs", "httproutes")
PATIENCE_S: Final = 300.0
"""As long as a company's slowest scene may take to its point."""


def stand_ins(network: IPv4Network) -> Callable[[Theatre, str], AbstractAsyncContextManager[Stage]]:
    """Return a scenery whose pods have addresses of that network; it answers at the addresses of Services as well."""

    @asynccontextmanager
    async def scenery(theatre: Theatre, name: str) -> AsyncIterator[Stage]:
        async with theatre.stage(name, ModelServer(network), SEEN, PATIENCE_S) as stage:
            endpoints = EndpointsFaker(stage.api, stage.seen)
            endpoints.start()
            stage.models.behind = partial(_version_behind, stage)
            yield stage
            await endpoints.stop()

    return scenery


def _version_behind(stage: Stage, address: str) -> str:
    """Return the version that a Service's selector names."""
    service = next(one for one in stage.seen.all("services") if one["spec"].get("clusterIP") == address)
    return str(service["spec"]["selector"][VERSION])

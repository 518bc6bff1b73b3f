"""No request fails behind a Gateway either: exact weights by an HTTPRoute, on a node, with a real gateway before it."""

from collections.abc import AsyncIterator, Iterator
from typing import Final

import pytest
import pytest_asyncio

from demo.story.kubectl import Manifest
from demo.story.stage import Stage
from tests.cluster.interface import Way
from tests.data_planes import Gateways, Traefik
from tests.e2e.callers import REPEATS, called
from tests.e2e.manifests import POLICY
from tests.e2e.rollouts import QUICK, left_to, starts
from tests.e2e.tenant import Tenant, tenant_of

SERVING: Final[Manifest] = {"replicas": 2, "traffic": {"gatewayAPI": {"parentRefs": [Traefik.parent()]}}}
ROLLOUT: Final[Manifest] = QUICK | {"stepWeights": [20]}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def gateway(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a gateway that runs beside the node, as it reaches the pods' addresses."""
    assert stage.cluster.way is Way.LOCAL, "this gateway is a process of this machine, which must reach pods: CLUSTER_WAY=local"
    async with Gateways(stage.cluster, stage.kubectl, tmp_path_factory.mktemp("gateway")).running(Traefik) as plane:
        yield f"http://127.0.0.1:{plane.port}"


@pytest.fixture(scope="module")
def tenant(stage: Stage, gateway: str) -> Iterator[Tenant]:
    """A tenant whose first version serves behind the gateway."""
    with tenant_of(stage, "gateway") as tenant:
        tenant.applies_policy(serving=SERVING, rollout=ROLLOUT)
        tenant.has_first_version()
        yield tenant


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
@pytest.mark.parametrize("outcome", ["Succeeded", "RolledBack"])
def test_no_request_fails_behind_a_gateway(tenant: Tenant, gateway: str, outcome: str, number: int) -> None:
    name, champion = f"gateway-{outcome.lower()}-{number}", tenant.sees("mrp", POLICY)["status"]["champion"]["version"]
    with called(tenant, name, gateway) as callers:
        starts(tenant, name, ROLLOUT, serving=SERVING, **({"errors": 1} if outcome == "RolledBack" else {}))
        status = tenant.run_ends(name, outcome, 120)
        left_to(callers, tenant, champion if outcome == "RolledBack" else status["version"])
        assert callers.failed() == []

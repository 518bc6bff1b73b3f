"""No request fails behind a Gateway either: exact weights by an HTTPRoute, on a node, with a real gateway before it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from demo.story.kubectl import Manifest
from demo.story.stage import Stage
from tests.cluster.interface import Way
from tests.cluster.kubectl import install_kinds
from tests.cluster.local.cluster import LocalCluster
from tests.e2e.callers import REPEATS, called
from tests.e2e.manifests import POLICY
from tests.e2e.rollouts import QUICK, left_to, starts
from tests.e2e.tenant import Tenant, tenant_of
from tests.integration.data_plane import DataPlane, parent
from tests.stand_ins.api import Api

SERVING: Final[Manifest] = {"replicas": 2, "traffic": {"gatewayAPI": {"parentRefs": [parent()]}}}
ROLLOUT: Final[Manifest] = QUICK | {"stepWeights": [20]}


@pytest.fixture(scope="module")
def gateway(stage: Stage, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a gateway that runs beside the node, as it reaches the pods' addresses."""
    assert stage.cluster.way is Way.LOCAL, "this gateway is a process of this machine, which must reach pods: CLUSTER_WAY=local"
    install_kinds(stage.kubectl, stage.cluster.binary("gateway-api.yaml"))
    plane = asyncio.run(listening(stage.cluster, stage, tmp_path_factory.mktemp("traefik")))
    yield f"http://127.0.0.1:{plane.port}"
    asyncio.run(plane.stop())


async def listening(cluster: LocalCluster, stage: Stage, home: Path) -> DataPlane:
    api = await Api.of(cluster.kubeconfig)
    try:
        plane = DataPlane(cluster, stage.kubectl, api, home)
        await plane.start()
    finally:
        await api.close()
    return plane


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

"""A stage whose pods a gateway reaches, before one real data plane a test file."""

from collections.abc import AsyncIterator, Iterator
from ipaddress import IPv4Network

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.data_planes import DataPlane, Gateways, local_addresses
from tests.integration.account import Account
from tests.integration.observing import held_to_the_invariants
from tests.integration.stage import Stage, Theatre
from tests.stand_ins.endpoints import EndpointsFaker
from tests.stand_ins.mirror import RESOURCES
from tests.stand_ins.model_server import ModelServer


@pytest.fixture(scope="module")
def gateways(control_plane: LocalCluster, account: Account, tmp_path_factory: pytest.TempPathFactory) -> Gateways:
    return Gateways(control_plane, account.kubectl, tmp_path_factory.mktemp("gateway"))


@pytest.fixture(scope="module")
def network() -> Iterator[IPv4Network]:
    with local_addresses() as network:
        yield network


@pytest_asyncio.fixture(loop_scope="session")
async def stage(data_plane: DataPlane, theatre: Theatre, network: IPv4Network, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Give a stage before the module's data plane, which must be there before the operator is."""
    assert data_plane.port
    async with theatre.stage("gateway", ModelServer(network), (*RESOURCES, "httproutes")) as stage:
        endpoints = EndpointsFaker(stage.api, stage.seen)
        endpoints.start()
        try:
            with held_to_the_invariants(stage, request):
                yield stage
        finally:
            await endpoints.stop()

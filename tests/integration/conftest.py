"""The operator as a process, and a theatre to watch it in. One operator a test file; every test has a namespace of its own."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.integration.account import Account
from tests.integration.observing import held_to_the_invariants
from tests.integration.operator_process import OperatorProcess
from tests.integration.stage import Stage, Theatre, operated
from tests.stand_ins.live_figures import FakePrometheus


@pytest.fixture(scope="session")
def account(control_plane: LocalCluster) -> Iterator[Account]:
    account = Account(control_plane)
    yield account
    account.revoke()


@pytest.fixture(scope="session")
def operators_kubeconfig(account: Account, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("operator") / "kubeconfig"
    account.grant(path)
    return path


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def prometheus() -> AsyncIterator[FakePrometheus]:
    """Give what plays Prometheus to an operator."""
    prometheus = FakePrometheus()
    await prometheus.start()
    yield prometheus
    await prometheus.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def theatre(
    request: pytest.FixtureRequest,
    control_plane: LocalCluster,
    operators_kubeconfig: Path,
    prometheus: FakePrometheus,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Theatre]:
    """Give an operator that runs, under the module's OPERATOR_SETTINGS where it has any, and what plays around it."""
    settings = getattr(request.module, "OPERATOR_SETTINGS", {})
    operator = OperatorProcess(operators_kubeconfig, prometheus.url, tmp_path_factory.mktemp("operator"), **settings)
    async with operated(control_plane, prometheus, operator) as theatre:
        yield theatre


@pytest_asyncio.fixture(loop_scope="session")
async def stage(theatre: Theatre, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Give an empty stage, on which nothing may happen that the observer would not let pass."""
    async with theatre.stage() as stage:
        with held_to_the_invariants(stage, request):
            yield stage

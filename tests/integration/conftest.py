"""The operator as a process, and a theatre to watch it in. One operator a test file; every test has a namespace of its own."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.integration.account import Account
from tests.integration.audit import Audit
from tests.integration.observing import held_to_the_invariants
from tests.integration.operator_process import OperatorProcess
from tests.integration.stage import Stage, Theatre
from tests.stand_ins.api import Api
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
async def theatre(
    request: pytest.FixtureRequest, control_plane: LocalCluster, operators_kubeconfig: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Theatre]:
    """Give an operator that runs, under the module's OPERATOR_SETTINGS where it has any, and what plays around it."""
    log = control_plane.audit_log
    assert log is not None
    async with AsyncExitStack() as closing:
        api = await Api.of(control_plane.kubeconfig)
        closing.push_async_callback(api.close)
        prometheus = FakePrometheus()
        await prometheus.start()
        closing.push_async_callback(prometheus.stop)
        settings = getattr(request.module, "OPERATOR_SETTINGS", {})
        operator = OperatorProcess(operators_kubeconfig, prometheus.url, tmp_path_factory.mktemp("operator"), **settings)
        closing.push_async_callback(operator.close)
        await operator.start()
        yield Theatre(api, prometheus, operator, lambda: Audit(log, api))


@pytest_asyncio.fixture(loop_scope="session")
async def stage(theatre: Theatre, request: pytest.FixtureRequest) -> AsyncIterator[Stage]:
    """Give an empty stage, on which nothing may happen that the observer would not let pass."""
    async with theatre.stage() as stage:
        with held_to_the_invariants(stage, request):
            yield stage

"""A house for companies, and every story as it goes when nobody kills the operator."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.kubectl import install_kinds
from tests.cluster.local.cluster import LocalCluster
from tests.crash.company import House, Played
from tests.crash.matrix import undisturbed
from tests.crash.nest import Nest
from tests.crash.scenery import stand_ins
from tests.data_planes import answered_here, local_addresses, remove_kinds
from tests.integration.account import Account
from tests.integration.conftest import account, operators_kubeconfig
from tests.stand_ins.api import Api
from tests.stand_ins.live_figures import FakePrometheus

__all__ = ["account", "operators_kubeconfig"]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(control_plane: LocalCluster, account: Account, operators_kubeconfig: Path) -> AsyncIterator[House]:
    log = control_plane.audit_log
    assert log is not None
    async with AsyncExitStack() as closing:
        await asyncio.to_thread(install_kinds, account.kubectl, control_plane.binary("gateway-api.yaml"))
        closing.push_async_callback(asyncio.to_thread, remove_kinds, control_plane, account.kubectl)
        api = await Api.of(control_plane.kubeconfig)
        closing.push_async_callback(api.close)
        prometheus = FakePrometheus()
        await prometheus.start()
        closing.push_async_callback(prometheus.stop)
        network = closing.enter_context(local_addresses())
        closing.enter_context(answered_here(control_plane.services))
        nest = Nest()
        closing.callback(nest.close)
        yield House(api, log, operators_kubeconfig, prometheus, nest, stand_ins(network))


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def traced(house: House, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Played]:
    """Give every story as it goes when nobody kills the operator."""
    return {one.scene.story: one for one in await house.play(undisturbed(), tmp_path_factory.mktemp("undisturbed"))}

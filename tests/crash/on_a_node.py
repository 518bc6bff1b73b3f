"""A crash at every tenth point where everything around the operator is real, but for what Prometheus and a Gateway's controller say.

The pods run on a node, behind its own endpoints and kube-proxy; what becomes of a training is told to its pod.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Final

import pytest
import pytest_asyncio

from tests.cluster.choose import choose
from tests.cluster.consent import agree
from tests.cluster.kubectl import install_kinds
from tests.crash.company import House, Played
from tests.crash.kills import killed_at
from tests.crash.matrix import points
from tests.crash.nest import Nest
from tests.crash.prompter import PodScript, Prompter
from tests.crash.scenery import PATIENCE_S, SEEN
from tests.integration.account import Account
from tests.integration.stage import Stage, Theatre
from tests.stand_ins.api import Api
from tests.stand_ins.live_figures import FakePrometheus
from tests.stand_ins.mirror import Mirror

pytestmark = pytest.mark.asyncio(loop_scope="session")

_ACTOR: Final = Path(__file__).parent / "actor"
_KINDS: Final = Path(__file__).parents[2] / "crds"
_IMAGES: Final = ("docker.io/library/trainer:test", "docker.io/library/server:test")
_SCENES: Final = 8
"""A node of two cores starts their pods as quickly as their stories go on."""
_DEATHS: Final = 20
_EVERY: Final = 10


class Pods:
    """What a stage asks of its model server: real ones answer at this port."""

    port = 8080

    async def start(self) -> None:
        """Nothing to do."""

    async def stop(self) -> None:
        """Nothing to do."""


def pods(prompter: Prompter) -> Callable[[Theatre, str], AbstractAsyncContextManager[Stage]]:
    """Return a scenery of real pods, whose trainings the prompter tells what becomes of them."""

    def script(_: Api, seen: Mirror, __: object) -> PodScript:
        return PodScript(seen)

    @asynccontextmanager
    async def scenery(theatre: Theatre, name: str) -> AsyncIterator[Stage]:
        async with theatre.stage(name, Pods(), SEEN, PATIENCE_S, script) as stage:
            prompter.scripts[stage.namespace] = stage.kubelet
            secret = {"metadata": {"namespace": stage.namespace, "name": "platform-db"}, "stringData": {"url": "postgresql://nobody"}}
            await stage.api.create("secrets", {"apiVersion": "v1", "kind": "Secret", **secret})
            yield stage

    return scenery


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """Give a house on a node, which comes up for it."""
    cluster, _ = choose("crash")
    agree(cluster.plan())
    async with AsyncExitStack() as closing:
        closing.push_async_callback(asyncio.to_thread, cluster.down)
        await asyncio.to_thread(cluster.up)
        for image in _IMAGES:
            await asyncio.to_thread(cluster.build_image, image, _ACTOR)
            await asyncio.to_thread(cluster.load_image, image)
        account = Account(cluster)
        for kinds in (_KINDS, cluster.binary("gateway-api.yaml")):
            await asyncio.to_thread(install_kinds, account.kubectl, kinds)
        kubeconfig = tmp_path_factory.mktemp("operator") / "kubeconfig"
        account.grant(kubeconfig)
        api = await Api.of(cluster.kubeconfig)
        closing.push_async_callback(api.close)
        prometheus, prompter, nest = FakePrometheus(), Prompter(), Nest()
        closing.callback(nest.close)
        for server in (prometheus, prompter):
            await server.start()
            closing.push_async_callback(server.stop)
        log = cluster.audit_log
        assert log is not None
        yield House(api, log, kubeconfig, prometheus, nest, pods(prompter), _SCENES)


async def test_undisturbed_stories_break_no_invariant(traced: Mapping[str, Played]) -> None:
    assert [f"{one.scene}: {wrong}" for one in traced.values() for wrong in one.wrong] == []


@pytest.mark.timeout(1200)
async def test_a_crash_at_every_tenth_point_changes_nothing_in_how_a_story_ends(
    house: House, traced: Mapping[str, Played], tmp_path_factory: pytest.TempPathFactory
) -> None:
    chosen = points({story: played.writes for story, played in traced.items()})[::_EVERY]
    assert await killed_at(house, traced, chosen, _DEATHS, partial(tmp_path_factory.mktemp, "company")) == []

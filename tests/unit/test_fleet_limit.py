"""The rounds of many policies at once on an API server in memory: between them they never take a place too many."""

import asyncio
from typing import Any

import pytest
from typing_extensions import override

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.core.triggers.evaluation import Evaluation
from retrainer.inbox import Inbox
from retrainer.ports import Alerts, Defaults, Evaluations, Key, Sources
from retrainer.reconcile import Reconciler
from retrainer.telemetry import Telemetry
from tests.builders import a_policy
from tests.fakes import FakeClock, FakeCluster, FakeMetrics, FakeProber

NAMES = tuple(f"model-{number}" for number in range(6))


class SlowCluster(FakeCluster):
    """Other rounds come between a write that was decided and the write."""

    @override
    async def write_status(self, ref: Ref, status: Manifest) -> Manifest:
        await asyncio.sleep(0)
        return await super().write_status(ref, status)


class NothingAsked(Evaluations):
    @override
    def of(self, key: Key) -> dict[str, Evaluation]:
        return {}


class Fleet:
    def __init__(self, limit: int) -> None:
        self.cluster, self.world = SlowCluster(), WatchedWorld()
        alerts: Alerts = Inbox()
        sources = Sources(
            self.world,
            self.cluster,
            FakeMetrics(),
            FakeProber(),
            FakeClock(),
            alerts,
            NothingAsked(),
            Defaults("trainer:1", 60, "pod-0", limit),
        )
        self.reconcile = Reconciler(sources, Telemetry())

    async def starts(self) -> None:
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "members", "name": "models"}}
        await self.cluster.create(claim | {"spec": {"accessModes": ["ReadWriteMany"]}})
        for name in NAMES:
            template = {"metadata": {"labels": {"app": name}}, "spec": {"containers": [{"name": "server", "image": "server:1"}]}}
            meta = {"namespace": "members", "name": f"{name}-api"}
            spec = {"replicas": 0, "template": template}
            await self.cluster.create({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta, "spec": spec})
            serving = {"deployment_ref": {"name": f"{name}-api"}, "service": {"name": name}}
            wanted = a_policy(name, model_type=name.replace("-", "_"), serving=serving).spec.wire()
            meta = {"namespace": "members", "name": name}
            await self.cluster.create({"apiVersion": Kind.POLICY.api_version, "kind": Kind.POLICY.kind, "metadata": meta, "spec": wanted})

    async def rounds(self, times: int = 4) -> None:
        """Let every policy have its round at the same time, so many times, and the watches bring what came of it."""
        for _ in range(times):
            await self.watch()
            await asyncio.gather(*(self.reconcile(("members", name)) for name in NAMES))
        await self.watch()

    async def watch(self) -> None:
        indices: dict[str, dict[Any, list[Any]]] = {index: {} for index in waking.INDICES}
        for index, keys in waking.INDICES.items():
            for body in await self.cluster.list(Ref(waking.KINDS[index], "", "")):
                for key, found in keys(body).items():
                    indices[index].setdefault(key, []).append(found)
        self.world.attach(indices)

    async def phases(self) -> dict[str, str]:
        runs = await self.cluster.list(Ref(Kind.RUN, "members", ""))
        return {run["metadata"]["name"]: (run.get("status") or {}).get("phase", "Pending") for run in runs}

    async def reason(self, run: str) -> str:
        found = await self.cluster.get(Ref(Kind.RUN, "members", run))
        return str((found or {})["status"]["reason"])

    async def ends(self, run: str) -> None:
        """Have somebody abort a run."""
        await self.cluster.patch(Ref(Kind.RUN, "members", run), {"metadata": {"annotations": {"retrainer.dev/abort": run}}})


def with_a_place(phases: dict[str, str]) -> list[str]:
    return [name for name, phase in phases.items() if phase in {"Validating", "Queued", "Training"}]


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_rounds_at_the_same_time_never_take_a_place_too_many(limit: int) -> None:
    fleet = Fleet(limit)
    await fleet.starts()
    await fleet.rounds()
    phases = await fleet.phases()
    assert with_a_place(phases) == [f"{name}-1" for name in NAMES[:limit]]
    assert {await fleet.reason(f"{name}-1") for name in NAMES[limit:]} == {"FleetLimit"}


async def test_a_place_that_is_left_is_the_oldests_who_waits() -> None:
    fleet = Fleet(2)
    await fleet.starts()
    await fleet.rounds()
    await fleet.ends("model-0-1")
    await fleet.rounds()
    assert with_a_place(await fleet.phases()) == ["model-1-1", "model-2-1"]
    await fleet.ends("model-1-1")
    await fleet.ends("model-2-1")
    await fleet.rounds()
    assert with_a_place(await fleet.phases()) == ["model-3-1", "model-4-1"]


async def test_without_a_limit_all_train_at_once() -> None:
    fleet = Fleet(0)
    await fleet.starts()
    await fleet.rounds()
    assert len(with_a_place(await fleet.phases())) == len(NAMES)

"""Many policies at once on an API server in memory: their rounds go on side by side, and watches bring what comes of them."""

import asyncio
from collections.abc import Iterable, Sequence

from typing_extensions import override

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.core.triggers.evaluation import Evaluation
from retrainer.errors import Unavailable
from retrainer.inbox import Inbox
from retrainer.index import Index
from retrainer.ports import Alerts, Defaults, Evaluations, Key, Sources
from retrainer.reconcile import Reconciler
from retrainer.telemetry import Telemetry
from tests.builders import a_policy
from tests.fakes import FakeClock, FakeCluster, FakeMetrics, FakeNotifier, FakeProber


def indices_of(bodies: Iterable[Manifest]) -> dict[str, Index]:
    """Return the indices as the watches fill them with these objects."""
    indices = {name: Index(parse) for name, parse in waking.INDICES.items()}
    for one in bodies:
        for name, index in indices.items():
            if waking.KINDS[name] is Kind.of(one):
                index.take(one)
    return indices


class SlowCluster(FakeCluster):
    """Other rounds come between a write that was decided and the write, and the answer to one that takes a place may be lost."""

    loses_answers = False

    @override
    async def write_status(self, ref: Ref, status: Manifest) -> Manifest:
        await asyncio.sleep(0)
        written = await super().write_status(ref, status)
        if self.loses_answers and status.get("phase") == "Validating":
            raise Unavailable("no answer")
        return written


class NothingAsked(Evaluations):
    @override
    def of(self, key: Key) -> dict[str, Evaluation]:
        return {}


class Fleet:
    """Policies of one namespace, their API server and their operator."""

    def __init__(self, limit: int, names: Sequence[str] = tuple(f"model-{number}" for number in range(6))) -> None:
        self.names = names
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
            FakeNotifier(),
            Defaults("trainer:1", 60, "pod-0", limit),
        )
        self.reconcile = Reconciler(sources, Telemetry())

    async def starts(self) -> None:
        claim = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": "members", "name": "models"}}
        await self.cluster.create(claim | {"spec": {"accessModes": ["ReadWriteMany"]}})
        for name in self.names:
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
            await self.round()
        await self.watch()

    async def round(self, *names: str) -> None:
        """Let policies, all unless named, have a round at the same time on what the watches have brought; some may get no answer."""
        ends = await asyncio.gather(*(self.reconcile(("members", name)) for name in names or self.names), return_exceptions=True)
        for end in ends:
            if isinstance(end, BaseException) and not isinstance(end, Unavailable):
                raise end

    async def watch(self) -> None:
        kinds = dict.fromkeys(waking.KINDS.values())
        self.world.attach(indices_of([body for kind in kinds for body in await self.cluster.list(Ref(kind, "", ""))]))

    async def phases(self) -> dict[str, str]:
        runs = await self.cluster.list(Ref(Kind.RUN, "members", ""))
        return {run["metadata"]["name"]: (run.get("status") or {}).get("phase", "Pending") for run in runs}

    async def reason(self, run: str) -> str:
        found = await self.cluster.get(Ref(Kind.RUN, "members", run))
        return str((found or {})["status"]["reason"])

    async def ends(self, run: str) -> None:
        """Have somebody abort a run."""
        await self.cluster.patch(Ref(Kind.RUN, "members", run), {"metadata": {"annotations": {"retrainer.dev/abort": run}}})

"""A fleet of idle policies on a real API server and a real Prometheus, for the benchmarks."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.local.cluster import LocalCluster
from tests.integration import team
from tests.integration.account import Account
from tests.integration.operator_process import OperatorProcess
from tests.prometheus_server import running_prometheus
from tests.stand_ins.api import Api
from tests.stand_ins.exporter import Exporter
from tests.stand_ins.live_figures import LiveFigures

INTERVAL_S = 15
NAMESPACE = "bench"
METRICS = [
    {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.7, "window": "1h"}},
    {"name": "confidence", "metric": {"preset": "Confidence", "min": 0.7, "window": "1h"}},
    {"name": "errors", "metric": {"preset": "ErrorRate", "max": 0.05, "window": "1h"}},
]
_VERSION = "v1"
_AT_ONCE = 20
_RESTS_FOR_S = 8.0
_PAUSES_FOR_S = 0.2
_READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Fleet:
    """Policies of one namespace, and all that they live among."""

    api: Api
    cluster: LocalCluster
    prometheus: str
    exporter: Exporter
    operator: OperatorProcess

    async def grow(self, few: int, many: int) -> float:
        """Have the policies `few` to `many` come, and return after how many seconds all of them were idle."""
        began = time.monotonic()
        for start in range(few, many, _AT_ONCE):
            await asyncio.gather(*(self._add(number) for number in range(start, min(start + _AT_ONCE, many))))
        await self.until_idle(many)
        return time.monotonic() - began - _RESTS_FOR_S

    async def until_idle(self, policies: int) -> None:
        """Return once every trigger is judged, and the operator has asked the API server for nothing for a while."""
        while await self.operator.metric("retrainer_policy_ready") < policies:  # noqa: ASYNC110 - another process
            await asyncio.sleep(2)
        judged, asked = policies * len(METRICS), -1.0
        while await self.operator.metric("retrainer_trigger_state", reason="WithinBounds") < judged:  # noqa: ASYNC110 - another process
            await asyncio.sleep(2)
        while asked != (asked := await self.operator.metric("retrainer_operator_api_requests_total")):  # noqa: ASYNC110 - as above
            await asyncio.sleep(_RESTS_FOR_S)

    async def until_quiet(self) -> None:
        """Return once the operator has asked the API server for nothing for a moment: it has done with what came before."""
        asked = -1.0
        while asked != (asked := await self.operator.metric("retrainer_operator_api_requests_total")):  # noqa: ASYNC110 - another process
            await asyncio.sleep(_PAUSES_FOR_S)

    async def _add(self, number: int) -> None:
        """Have a policy that took over a Service whose champion serves."""
        name = policy_name(number)
        left = team.service(NAMESPACE, name, **{"retrainer.dev/serves": name, "retrainer.dev/version": _VERSION})
        left["metadata"] |= {
            "labels": {"retrainer.dev/policy": name, "retrainer.dev/policy-uid": "of-a-policy-that-is-gone"},
            "annotations": {"retrainer.dev/champion": _VERSION, "retrainer.dev/made-by-operator": "true"},
        }
        serving = {"deploymentRef": {"name": f"{name}-api"}, "replicas": 1, "service": {"name": name}}
        paged = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift", "model": name}}}
        await self.api.create("deployments", team.deployment(NAMESPACE, f"{name}-api"))
        await self.api.apply("services", left, manager="retrainer")
        await self.api.create("pods", _pod(name))
        await self.api.patch("pods", NAMESPACE, f"{name}-pod", {"status": _READY}, subresource="status")
        await self.api.apply("modelretrainpolicies", team.policy(NAMESPACE, name, serving=serving, triggers=[*METRICS, paged]))
        self.exporter.figures[f"{NAMESPACE}/{name}"] = LiveFigures(lambda: [_VERSION], model_type=f"{name}_risk".replace("-", "_"))


def policy_name(number: int) -> str:
    """Return the name of a policy of the fleet, and of its Service."""
    return f"model-{number}"


def _pod(policy: str) -> team.Manifest:
    """Return the one pod of a policy's champion, as nobody but this bench makes it."""
    labels = {"app.kubernetes.io/managed-by": "retrainer", "retrainer.dev/policy": policy, "retrainer.dev/version": _VERSION}
    metadata = {"namespace": NAMESPACE, "name": f"{policy}-pod", "labels": labels | {"retrainer.dev/component": "serve"}}
    spec = {"containers": [{"name": "server", "image": "server:test"}], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


@contextmanager
def _control_plane() -> Iterator[LocalCluster]:
    cluster = LocalCluster(f"bench-{os.getpid()}", control_plane=True)
    tool = [sys.executable, "-m", "tests.cluster"]
    try:
        subprocess.run([*tool, "up", "--control-plane", "--name", cluster.name], cwd=_ROOT, check=True)
        kubectl = [str(cluster.binary("kubectl")), f"--kubeconfig={cluster.kubeconfig}"]
        subprocess.run([*kubectl, "apply", "--server-side", f"--filename={_ROOT / 'crds'}"], check=True)
        yield cluster
    finally:
        subprocess.run([*tool, "down", "--name", cluster.name], cwd=_ROOT, check=True)


@asynccontextmanager
async def running_fleet(home: Path) -> AsyncIterator[Fleet]:
    """Give a fleet without a policy yet."""
    async with AsyncExitStack() as closing:
        cluster = closing.enter_context(_control_plane())
        exporter = Exporter()
        await exporter.start()
        closing.push_async_callback(exporter.stop)
        prometheus = closing.enter_context(running_prometheus(home, {exporter.target: {}}, scrape_interval="5s"))
        api = await Api.of(cluster.kubeconfig)
        closing.push_async_callback(api.close)
        Account(cluster).grant(home / "kubeconfig")
        operator = OperatorProcess(home / "kubeconfig", prometheus, home, evaluation_interval_s=str(INTERVAL_S))
        closing.push_async_callback(operator.close)
        await operator.start()
        await api.create("namespaces", team.namespace(NAMESPACE))
        await api.create(
            "serviceaccounts", {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"namespace": NAMESPACE, "name": "default"}}
        )
        await api.create("persistentvolumeclaims", team.volume_claim(NAMESPACE))
        yield Fleet(api, cluster, prometheus, exporter, operator)

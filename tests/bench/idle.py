"""What idle policies cost: `python -m tests.bench.idle` (make bench).

1, 100 and 1,000 policies, each with three metric triggers within their bounds, on a real API server and a real Prometheus. What is told
comes from those two: `apiserver_request_total` and `prometheus_http_requests_total`, a minute. Between few and many policies everything
else is the same, so the slope is what a policy costs. The operator's own processor time and memory come from /proc.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import urllib.request
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

SIZES = (1, 100, 1000)
INTERVAL_S = 15
WATCHED_S = 60.0
RESTS_FOR_S = 8.0
NAMESPACE = "bench"
VERSION = "v1"
TRIGGERS = [
    {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.7, "window": "1h"}},
    {"name": "confidence", "metric": {"preset": "Confidence", "min": 0.7, "window": "1h"}},
    {"name": "errors", "metric": {"preset": "ErrorRate", "max": 0.05, "window": "1h"}},
]
READY = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many policies cost a minute; memory as it was at the end."""

    policies: int
    questions: float
    requests: float
    writes: float
    cpu_m: float
    resident_mib: float


@dataclass(frozen=True, slots=True)
class Bench:
    """The world that is measured."""

    api: Api
    cluster: LocalCluster
    prometheus: str
    exporter: Exporter
    operator: OperatorProcess

    async def cost(self, policies: int) -> Cost:
        """Watch idle policies for a while."""
        before = self._counts()
        await asyncio.sleep(WATCHED_S)
        questions, requests, writes, cpu_s = (after - was for after, was in zip(self._counts(), before, strict=True))
        minutes = WATCHED_S / 60
        resident = self.operator.resident_bytes() / 2**20
        return Cost(policies, questions / minutes, requests / minutes, writes / minutes, 1000 * cpu_s / WATCHED_S, resident)

    async def until_idle(self, policies: int) -> None:
        """Return once every trigger is judged, and the operator has asked the API server for nothing for a while."""
        while await self.operator.metric("retrainer_policy_ready") < policies:  # noqa: ASYNC110 - another process
            await asyncio.sleep(2)
        judged, asked = policies * len(TRIGGERS), -1.0
        while await self.operator.metric("retrainer_trigger_state", reason="WithinBounds") < judged:  # noqa: ASYNC110 - another process
            await asyncio.sleep(2)
        while asked != (asked := await self.operator.metric("retrainer_operator_api_requests_total")):  # noqa: ASYNC110 - as above
            await asyncio.sleep(RESTS_FOR_S)

    async def add(self, number: int) -> None:
        """Have a policy that took over a Service whose champion serves."""
        name = f"model-{number}"
        left = team.service(NAMESPACE, name, **{"retrainer.dev/serves": name, "retrainer.dev/version": VERSION})
        left["metadata"] |= {
            "labels": {"retrainer.dev/policy": name, "retrainer.dev/policy-uid": "of-a-policy-that-is-gone"},
            "annotations": {"retrainer.dev/champion": VERSION, "retrainer.dev/made-by-operator": "true"},
        }
        serving = {"deploymentRef": {"name": f"{name}-api"}, "replicas": 1, "service": {"name": name}}
        await self.api.create("deployments", team.deployment(NAMESPACE, f"{name}-api"))
        await self.api.apply("services", left, manager="retrainer")
        await self.api.create("pods", _pod(name))
        await self.api.patch("pods", NAMESPACE, f"{name}-pod", {"status": READY}, subresource="status")
        await self.api.apply("modelretrainpolicies", team.policy(NAMESPACE, name, serving=serving, triggers=TRIGGERS))
        self.exporter.figures[f"{NAMESPACE}/{name}"] = LiveFigures(lambda: [VERSION], model_type=f"{name}_risk".replace("-", "_"))

    def _counts(self) -> tuple[float, float, float, float]:
        """Return questions to Prometheus, requests to the API server, writes among them, and the operator's processor seconds, so far."""
        with urllib.request.urlopen(f"{self.prometheus}/metrics", timeout=10) as answer:
            questions = _total(answer.read().decode(), "prometheus_http_requests_total", 'handler="/api/v1/query"')
        kubectl = [str(self.cluster.binary("kubectl")), f"--kubeconfig={self.cluster.kubeconfig}", "get", "--raw=/metrics"]
        text = subprocess.run(kubectl, capture_output=True, text=True, check=True).stdout
        requests = _total(text, "apiserver_request_total", "")
        writes = sum(_total(text, "apiserver_request_total", f'verb="{verb}"') for verb in ("POST", "PUT", "PATCH", "APPLY", "DELETE"))
        return questions, requests, writes, self.operator.cpu_seconds()


def _pod(policy: str) -> team.Manifest:
    """Return the one pod of a policy's champion, as nobody but this bench makes it."""
    labels = {"app.kubernetes.io/managed-by": "retrainer", "retrainer.dev/policy": policy, "retrainer.dev/version": VERSION}
    metadata = {"namespace": NAMESPACE, "name": f"{policy}-pod", "labels": labels | {"retrainer.dev/component": "serve"}}
    spec = {"containers": [{"name": "server", "image": "server:test"}], "automountServiceAccountToken": False}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def _total(text: str, name: str, label: str) -> float:
    lines = (line for line in text.splitlines() if line.startswith(f"{name}{{") and label in line)
    return sum(float(line.rpartition(" ")[2]) for line in lines)


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
async def _bench(home: Path) -> AsyncIterator[Bench]:
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
        yield Bench(api, cluster, prometheus, exporter, operator)


async def main() -> None:
    """Measure each size, and print what it costs."""
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        async with _bench(Path(home)) as bench:
            for few, many in zip((0, *SIZES), SIZES, strict=False):
                for start in range(few, many, 20):
                    await asyncio.gather(*(bench.add(number) for number in range(start, min(start + 20, many))))
                await bench.until_idle(many)
                costs.append(await bench.cost(many))
                _print_row(costs[-1])
    _print_slopes(costs)


def _print_row(cost: Cost) -> None:
    asked = f"{cost.questions:6.1f} questions to Prometheus, {cost.requests:6.1f} requests to the API server ({cost.writes:.1f} writes)"
    print(f"{cost.policies:>5} policies: {asked} a minute, {cost.cpu_m:5.1f} mCPU, {cost.resident_mib:5.1f} MiB", flush=True)


def _print_slopes(costs: list[Cost]) -> None:
    fewest, most = costs[0], costs[-1]
    more = most.policies - fewest.policies
    questions, requests = (most.questions - fewest.questions) / more, (most.requests - fewest.requests) / more
    cpu, memory = 1000 * (most.cpu_m - fewest.cpu_m) / more, 1024 * (most.resident_mib - fewest.resident_mib) / more
    print(f"a policy: {questions:.4f} questions and {requests:.4f} requests a minute, {cpu:.1f} µCPU, {memory:.1f} KiB")
    print(f"questions with {most.policies / fewest.policies:.0f} × the policies: {most.questions / fewest.questions:.2f} ×")
    naive = most.policies * len(TRIGGERS) * 2 * 60 / INTERVAL_S
    print(f"each trigger on its own would ask {naive:.0f} a minute: {naive / most.questions:.0f} ×")


if __name__ == "__main__":
    asyncio.run(main())

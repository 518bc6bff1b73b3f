"""What idle policies cost: `python -m tests.bench.idle 1 100 1000` (make bench).

So many policies, each with three metric triggers within their bounds, on a real API server and a real Prometheus. What is told
comes from those two: `apiserver_request_total` and `prometheus_http_requests_total`, a minute. Between few and many policies everything
else is the same, so the slope is what a policy costs. The operator's own processor time and memory come from /proc.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path

from tests.bench.fleet import INTERVAL_S, METRICS, Fleet, running_fleet

_SIZES = (1, 100, 1000)
_WATCHED_S = 60.0


@dataclass(frozen=True, slots=True)
class Cost:
    """What so many policies cost a minute; memory as it was at the end, and how long it took until all were idle."""

    policies: int
    came_in_s: float
    questions: float
    requests: float
    writes: float
    cpu_m: float
    resident_mib: float


async def cost(fleet: Fleet, policies: int, came_in_s: float) -> Cost:
    """Watch idle policies for a while."""
    before = _counts(fleet)
    await asyncio.sleep(_WATCHED_S)
    questions, requests, writes, cpu_s = (after - was for after, was in zip(_counts(fleet), before, strict=True))
    minutes = _WATCHED_S / 60
    resident = fleet.operator.resident_bytes() / 2**20
    return Cost(policies, came_in_s, questions / minutes, requests / minutes, writes / minutes, 1000 * cpu_s / _WATCHED_S, resident)


def _counts(fleet: Fleet) -> tuple[float, float, float, float]:
    """Return questions to Prometheus, requests to the API server, writes among them, and the operator's processor seconds, so far."""
    with urllib.request.urlopen(f"{fleet.prometheus}/metrics", timeout=10) as answer:
        questions = _total(answer.read().decode(), "prometheus_http_requests_total", 'handler="/api/v1/query"')
    kubectl = [str(fleet.cluster.binary("kubectl")), f"--kubeconfig={fleet.cluster.kubeconfig}", "get", "--raw=/metrics"]
    text = subprocess.run(kubectl, capture_output=True, text=True, check=True).stdout
    requests = _total(text, "apiserver_request_total", "")
    writes = sum(_total(text, "apiserver_request_total", f'verb="{verb}"') for verb in ("POST", "PUT", "PATCH", "APPLY", "DELETE"))
    return questions, requests, writes, fleet.operator.cpu_seconds()


def _total(text: str, name: str, label: str) -> float:
    lines = (line for line in text.splitlines() if line.startswith(f"{name}{{") and label in line)
    return sum(float(line.rpartition(" ")[2]) for line in lines)


async def main(sizes: tuple[int, ...]) -> None:
    """Measure each size, and print what it costs."""
    costs: list[Cost] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        async with running_fleet(Path(home)) as fleet:
            for few, many in zip((0, *sizes), sizes, strict=False):
                came_in_s = await fleet.grow(few, many)
                costs.append(await cost(fleet, many, came_in_s))
                _print_row(costs[-1])
            await _restarted(fleet, costs[-1].policies)
    if len(costs) > 1:
        _print_slopes(costs)


async def _restarted(fleet: Fleet, policies: int) -> None:
    """Print what a restart takes, and what memory it leaves: nothing of how the policies came is in it."""
    began = time.monotonic()
    await fleet.operator.stop()
    fleet.operator.launch()
    while await fleet.operator.status("readyz") != HTTPStatus.OK:  # noqa: ASYNC110 - another process
        await asyncio.sleep(0.1)
    ready_s = time.monotonic() - began
    await fleet.until_idle(policies)
    await asyncio.sleep(_WATCHED_S)
    print(f"restarted with {policies} policies: ready after {ready_s:.1f} s, {fleet.operator.resident_bytes() / 2**20:.1f} MiB", flush=True)


def _print_row(cost: Cost) -> None:
    asked = f"{cost.questions:6.1f} questions to Prometheus, {cost.requests:6.1f} requests to the API server ({cost.writes:.1f} writes)"
    used = f"{cost.cpu_m:5.1f} mCPU, {cost.resident_mib:5.1f} MiB"
    print(f"{cost.policies:>5} policies: {asked} a minute, {used}; idle after {cost.came_in_s:.0f} s", flush=True)


def _print_slopes(costs: list[Cost]) -> None:
    fewest, most = costs[0], costs[-1]
    more = most.policies - fewest.policies
    questions, requests = (most.questions - fewest.questions) / more, (most.requests - fewest.requests) / more
    cpu, memory = 1000 * (most.cpu_m - fewest.cpu_m) / more, 1024 * (most.resident_mib - fewest.resident_mib) / more
    print(f"a policy: {questions:.4f} questions and {requests:.4f} requests a minute, {cpu:.1f} µCPU, {memory:.1f} KiB")
    print(f"questions with {most.policies / fewest.policies:.0f} × the policies: {most.questions / fewest.questions:.2f} ×")
    naive = most.policies * len(METRICS) * 2 * 60 / INTERVAL_S
    print(f"each trigger on its own would ask {naive:.0f} a minute: {naive / most.questions:.0f} ×")


if __name__ == "__main__":
    asyncio.run(main(tuple(int(size) for size in sys.argv[1:]) or _SIZES))

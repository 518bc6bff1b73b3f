"""From an alert to its Job, against a raw POST of a Job, and a burst: `python -m tests.bench.alerts 500` (make bench-alerts).

The operator's side is whole: webhook with its token, decision, Run, status, validation Job. Both sides end when an independent watch sees
the Job. They take turns, on one API server, whose etcd waits for no disk, and from one machine.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

from tests.bench.fleet import NAMESPACE, Fleet, policy_name, running_fleet
from tests.integration import team
from tests.stand_ins.mirror import Mirror

_POLICIES = 500
_ONE_BY_ONE = 200
_AT_ONCE = 50


async def main(policies: int) -> None:
    """Measure alerts one by one, then a burst of one for each policy, and print both."""
    with tempfile.TemporaryDirectory(prefix="bench-") as home:
        async with running_fleet(Path(home)) as fleet, Mirror(fleet.api, NAMESPACE, ("modelretrainruns", "jobs")) as seen:
            print(f"{policies} policies are idle after {await fleet.grow(0, policies):.0f} s", flush=True)
            await _one_by_one(fleet, seen, min(_ONE_BY_ONE, policies))
            await _burst(fleet, seen, policies)


async def _one_by_one(fleet: Fleet, seen: Mirror, times: int) -> None:
    raw, answered, launched = [], [], []
    for number in range(times):
        await fleet.until_quiet()
        began = time.perf_counter()
        await fleet.api.create("jobs", _job(f"raw-{number}"))
        await _seen(seen, f"raw-{number}")
        raw.append(time.perf_counter() - began)
        await fleet.until_quiet()
        began = time.perf_counter()
        assert await _tell(fleet, number, _fingerprint(1, number)) == HTTPStatus.OK
        answered.append(time.perf_counter() - began)
        await _seen(seen, f"{policy_name(number)}-1-validate-1")
        launched.append(time.perf_counter() - began)
    for name, taken in (("a raw POST of a Job", raw), ("an alert answered", answered), ("an alert to its Job", launched)):
        of_raw = f"{_middle(taken) / _middle(raw):.2f} × and {_late(taken) / _late(raw):.2f} × the raw one"
        print(f"{name}: p50 {1000 * _middle(taken):.1f} ms, p99 {1000 * _late(taken):.1f} ms ({of_raw}), {times} times", flush=True)


async def _burst(fleet: Fleet, seen: Mirror, alerts: int) -> None:
    turns, answers = asyncio.Semaphore(_AT_ONCE), Counter[int]()

    async def one(number: int) -> None:
        async with turns:
            answers[await _tell(fleet, number, _fingerprint(2, number))] += 1

    began = time.perf_counter()
    await asyncio.gather(*(one(number) for number in range(alerts)))
    took = time.perf_counter() - began
    wanted = {(policy_name(number), _fingerprint(2, number)) for number in range(alerts)}
    await seen.until(lambda: wanted <= _carried(seen).keys() or None, "every alert is in a run")
    times = Counter(_carried(seen)[one] for one in wanted)
    print(f"a burst of {alerts}, {_AT_ONCE} at once: {alerts / took:.0f} a second; answers {dict(answers)}, in so many runs {dict(times)}")


def _fingerprint(alert: int, number: int) -> str:
    """Return what Alertmanager tells alerts apart by: hexadecimal digits."""
    return f"{alert}{number:015x}"


async def _tell(fleet: Fleet, number: int, fingerprint: str) -> int:
    return await fleet.operator.post(team.notification(NAMESPACE, fingerprint, datetime.now(UTC), model=policy_name(number)))


async def _seen(seen: Mirror, job: str) -> None:
    await seen.until(lambda: seen.one("jobs", job), f"{job} is there")


def _carried(seen: Mirror) -> Counter[tuple[str, str]]:
    """Return how many runs carry each alert of each policy."""
    found: Counter[tuple[str, str]] = Counter()
    for run in seen.all("modelretrainruns"):
        evidence = [*run["spec"].get("evidence", ()), *(run.get("status") or {}).get("evidence", ())]
        found.update((run["spec"]["policyRef"]["name"], item["fingerprint"]) for item in evidence)
    return found


def _job(name: str) -> team.Manifest:
    pod = {"restartPolicy": "Never", "containers": [{"name": "trainer", "image": "trainer:test"}]}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"namespace": NAMESPACE, "name": name},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }


def _middle(taken: Sequence[float]) -> float:
    return statistics.median(taken)


def _late(taken: Sequence[float]) -> float:
    return sorted(taken)[min(len(taken) - 1, int(0.99 * len(taken)))]


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else _POLICIES))

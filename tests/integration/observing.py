"""The independent observer beside a test: its checks on every stage, and as a process of its own, which reads the audit log besides."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.local.cluster import LocalCluster
from tests.integration.stage import Stage
from tests.observer.invariants import Invariants

_ROOT = Path(__file__).parent.parent.parent
# The figures of these tests are made up: no Prometheus has the samples that would justify a rise.
_NEEDS_SAMPLES = "RiseNeedsGoodAnalysis"


class Observations:
    """What it has written down so far."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def lines(self, kind: str) -> Sequence[dict[str, Any]]:
        """Return the lines of a kind: observation, violation or summary."""
        written = self._path.read_text(encoding="utf-8").splitlines() if self._path.exists() else []
        return [line for line in map(json.loads, written) if line["kind"] == kind]

    def violations(self, namespace: str) -> Sequence[dict[str, Any]]:
        """Return what was wrong in a namespace."""
        found = [line for line in self.lines("violation") if line["subject"].startswith(f"{namespace}/")]
        return [line for line in found if line["invariant"] != _NEEDS_SAMPLES]

    def shares(self, namespace: str) -> Sequence[dict[str, float]]:
        """Return the shares of each version in a namespace's route, one after the other."""
        return [line["weights"] for line in self.lines("observation") if str(line.get("route", "")).startswith(f"{namespace}/")]


@contextmanager
def held_to_the_invariants(stage: Stage, test: pytest.FixtureRequest) -> Iterator[None]:
    """Show the observer's checks every change on a stage, and fail in the end when others than the test `breaks` were broken."""
    invariants = Invariants(stage.seen)
    yield
    broken = invariants.finish()
    expected = {name for mark in test.node.iter_markers("breaks") for name in mark.args}
    assert {line.partition(":")[0] for line in broken} == expected, "\n".join([*broken, stage.picture()])


@asynccontextmanager
async def observed(cluster: LocalCluster, path: Path) -> AsyncIterator[Observations]:
    """Give an observer that looks on; when it has gone its record is complete."""
    argv = [sys.executable, "-m", "tests.observer", "--kubeconfig", str(cluster.kubeconfig), "--out", str(path)]
    process = await asyncio.create_subprocess_exec(*argv, "--audit-log", str(cluster.audit_log), cwd=_ROOT, stdout=subprocess.DEVNULL)
    try:
        await asyncio.to_thread(_wait_for_a_line, path)
        yield Observations(path)
    finally:
        process.terminate()
        await process.wait()


def _wait_for_a_line(path: Path) -> None:
    """Return once the observer has seen something."""
    latest = time.monotonic() + 30
    while not path.exists() or not path.stat().st_size:
        assert time.monotonic() < latest, "the observer saw nothing within 30 s"
        time.sleep(0.05)

"""How long a way back takes on a real node, under 200 requests a second: `python -m tests.bench.rollbacks` (make bench-rollbacks).

Candidates fail in their canary one after the other. The operator's own record times the verdict (`status.analysis.lastAt`, taken before it
asks Prometheus), the audit log the write, and the client's log the last answer: all on one machine, by one clock. After each, a client of
this process times a raw PATCH of another Service.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from statistics import median
from typing import Final

from demo.story.stage import ROOT
from tests.e2e.audit import Write, selectors_written
from tests.e2e.callers import RATE, Callers, called
from tests.e2e.manifests import service
from tests.e2e.rollouts import QUICK, TWO_PODS, serving, starts
from tests.e2e.staging import staged
from tests.e2e.tenant import Tenant, tenant_of
from tests.stand_ins.api import Api

BUILD: Final = ROOT / "build/bench-rollbacks"
EVERY_SECOND: Final = QUICK | {"interval": "1s"}
RAW_PATCHES: Final = 5
RAW: Final = "raw"


@dataclass(frozen=True, slots=True)
class Verdict:
    """A failed verdict: on which version, and when (Unix seconds)."""

    version: str
    at: float


@dataclass(frozen=True, slots=True)
class WayBack:
    """One rollback; all times in seconds."""

    asked_after_verdict: float
    answered_after_verdict: float
    last_answer_after_write: float
    last_answer_after_verdict: float


def main() -> None:
    """Measure so many rollbacks and print what they took."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.rollbacks", description="Time rollbacks on a real node, under load.")
    parser.add_argument("--rollbacks", type=int, default=50, help="how many (default: %(default)s)")
    wanted: int = parser.parse_args().rollbacks
    with staged("rollbacks", BUILD) as stage, tenant_of(stage, "rollbacks") as tenant, tenant_of(stage, RAW) as other:
        other.applies(service({"app": "nothing"}))
        tenant.applies_policy(serving=TWO_PODS, rollout=EVERY_SECOND)
        champion, began = tenant.has_first_version(), time.time()
        raw: list[float] = []
        with called(tenant, "rollbacks") as callers:
            verdicts = []
            for number in range(1, wanted + 1):
                verdicts.append(failed_verdict(tenant, f"bad-{number}"))
                stage.tell(f"{number} of {wanted}: failed verdict on {verdicts[-1].version} at {verdicts[-1].at:.6f}")
                raw += asyncio.run(raw_patches(other))
                assert serving(tenant) == champion
            failed = len(callers.failed())
        found = ways_back(tenant, callers, verdicts, began)
    (BUILD / "rollbacks.json").write_text(json.dumps({"rollbacks": [asdict(one) for one in found], "rawPatches": raw, "failed": failed}))
    show(found, raw, failed)


def failed_verdict(tenant: Tenant, name: str) -> Verdict:
    """Let a candidate fail and return when it was found to; one watch waits for that, so that nothing polls."""
    starts(tenant, name, EVERY_SECOND, errors=1)
    until = "--for=jsonpath={.status.phase}=Finished"
    tenant.stage.kubectl("wait", f"mrr/{name}", f"--namespace={tenant.namespace}", until, "--timeout=110s")
    status = tenant.sees("mrr", name)["status"]
    assert status["reason"] == "AnalysisFailed", f"{name} ended {status['outcome']}/{status['reason']}: {status['message']}"
    return Verdict(status["version"], datetime.fromisoformat(status["analysis"]["lastAt"]).timestamp())


async def raw_patches(tenant: Tenant) -> list[float]:
    """Return how many seconds each of some PATCHes of a Service took, over a connection that was open before."""
    api = await Api.of(tenant.stage.kubectl.kubeconfig)
    try:
        assert await api.get("services", tenant.namespace, "model") is not None
        return [await _timed_patch(api, tenant.namespace) for _ in range(RAW_PATCHES)]
    finally:
        await api.close()


async def _timed_patch(api: Api, namespace: str) -> float:
    changed = {"spec": {"selector": {"app": f"nothing-{time.monotonic_ns()}"}}}
    began = time.perf_counter()
    await api.patch("services", namespace, "model", changed)
    return time.perf_counter() - began


def ways_back(tenant: Tenant, callers: Callers, verdicts: Sequence[Verdict], since: float) -> list[WayBack]:
    """Return what the audit log and the client's log say of each verdict."""
    writes, last = selectors_written(tenant, since), callers.last_answers()
    return [_way_back(verdict, next(one for one in writes if one.asked > verdict.at), last) for verdict in verdicts]


def _way_back(verdict: Verdict, write: Write, last: Mapping[str, float]) -> WayBack:
    assert "retrainer.dev/version" in write.written["spec"]["selector"], "the first write after a failed verdict is the way back"
    left = last[verdict.version]
    return WayBack(write.asked - verdict.at, write.answered - verdict.at, left - write.answered, left - verdict.at)


def show(found: Sequence[WayBack], raw: Sequence[float], failed: int) -> None:
    """Print p50 and maximum of each span."""
    print(f"{len(found)} rollbacks at {RATE} requests a second, {failed} requests failed; raw PATCH of a Service, {len(raw)} times\n")
    print("| from | to | p50 | maximum |\n|---|---|---|---|")
    _show_row("a raw PATCH", "its answer", raw)
    _show_row("failed verdict", "the write reaches the API server", [one.asked_after_verdict for one in found])
    _show_row("failed verdict", "the write is answered", [one.answered_after_verdict for one in found])
    _show_row("the write is answered", "the candidate's last answer", [one.last_answer_after_write for one in found])
    _show_row("failed verdict", "the candidate's last answer", [one.last_answer_after_verdict for one in found])
    answered = [one.answered_after_verdict for one in found]
    print(f"\nverdict → answered ÷ raw PATCH: p50 {median(answered) / median(raw):.1f} ×, maximum {max(answered) / max(raw):.1f} ×")


def _show_row(since: str, until: str, seconds: Sequence[float]) -> None:
    print(f"| {since} | {until} | {1000 * median(seconds):.1f} ms | {1000 * max(seconds):.1f} ms |")


if __name__ == "__main__":
    main()

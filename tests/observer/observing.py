"""The observer at work: every event and every fifth of a second it takes a picture of the world and shows it to the checks."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from tests.observer.checks.endpoints import AlwaysAnEndpoint, WeightNeedsAnEndpoint
from tests.observer.checks.rollout import CandidateRises, Fall, Rise, shares
from tests.observer.checks.route import ARouteAlwaysAnswers, RouteCandidateRises, RouteWeightNeedsAnEndpoint
from tests.observer.checks.training import OneTraining, TrainingsOnRecord
from tests.observer.client_log import ClientRecord
from tests.observer.following import FollowedFile
from tests.observer.judgement import Verdict
from tests.observer.prometheus import Prometheus, PrometheusError, first_failure, judged
from tests.observer.report import Report
from tests.observer.store import Store
from tests.observer.watching import RESOURCES, ApiServer, Event, follow
from tests.observer.world import Key, Violation, World
from tests.observer.writes import TrafficWrites

PERIOD = 0.2
JUDGED_WITHIN = 15.0
# A look that comes later than this after the one before it is told: the observer itself was starved, and what it asserts has a gap.
LATE = 1.0


class Check(Protocol):
    """An invariant with memory."""

    def look(self, world: World) -> Sequence[Violation]:
        """Return what is wrong now."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the observer looks besides the API server; None where there is nothing to look at."""

    audit_log: Path | None
    client_log: Path | None


class Observer:
    """Asserts the invariants until it is cancelled; what it saw is in the report."""

    def __init__(self, api: ApiServer, prometheus: Prometheus | None, sources: Sources, report: Report) -> None:
        self._api = api
        self._prometheus = prometheus
        self._report = report
        self._store = Store()
        self._rises = (CandidateRises(), RouteCandidateRises())
        self._trainings = TrainingsOnRecord()
        endpoints = (AlwaysAnEndpoint(), WeightNeedsAnEndpoint(), ARouteAlwaysAnswers(), RouteWeightNeedsAnEndpoint())
        self._checks: Sequence[Check] = (*endpoints, *self._rises, OneTraining(), self._trainings)
        self._writes = TrafficWrites()
        self._client = ClientRecord()
        self._audit_log = FollowedFile(sources.audit_log, from_end=True) if sources.audit_log else None
        self._client_log = FollowedFile(sources.client_log) if sources.client_log else None
        self._listed: set[str] = set()
        self._shares: dict[tuple[str, Key], Mapping[str, float]] = {}
        self._judging: set[asyncio.Task[None]] = set()
        self._looks = 0
        self._last_look: float | None = None
        self._longest_gap = 0.0

    async def observe(self) -> None:
        """Watch and look until cancelled."""
        async with asyncio.TaskGroup() as group:
            for resource in RESOURCES:
                group.create_task(follow(self._api, resource, self._replaced, self._changed))
            group.create_task(self._look_periodically())

    async def finish(self) -> int:
        """Make the closing checks, write the summary and return how many violations there were."""
        if self._judging:
            await asyncio.wait(self._judging, timeout=JUDGED_WITHIN)
        self._read_logs()
        now = time.time()
        for violation in self._trainings.finish(now):
            self._report.violated(violation)
        summary = {
            "looks": self._looks,
            "longestGapSeconds": round(self._longest_gap, 3),
            "trafficWrites": len(self._writes.writes),
            "trainings": list(self._trainings.versions),
            "client": self._client.summary(),
        }
        self._report.close(now, summary)
        return self._report.violations

    def _replaced(self, resource: str, manifests: list[Any]) -> None:
        self._store.replace(resource, manifests)
        self._listed.add(resource)
        self._look()

    def _changed(self, resource: str, event: Event) -> None:
        self._store.change(resource, event)
        self._look()

    async def _look_periodically(self) -> None:
        while True:
            self._look()
            self._read_logs()
            await asyncio.sleep(PERIOD)

    def _look(self) -> None:
        """Show the checks the world as it is; before every list has arrived there is no world to show."""
        if not {"services", "pods", "endpointslices", "deployments"} <= self._listed:
            return
        world = self._store.world(time.time())
        self._count(world.at)
        for check in self._checks:
            for violation in check.look(world):
                self._report.violated(violation)
        for rises in self._rises:
            for asked in (*map(self._judge, rises.take_rises()), *map(self._explain, rises.take_falls())):
                task = asyncio.create_task(asked)
                self._judging.add(task)
                task.add_done_callback(self._judging.discard)
        self._tell_shares(world)

    def _count(self, at: float) -> None:
        gap = at - (self._last_look or at)
        self._looks, self._last_look, self._longest_gap = self._looks + 1, at, max(gap, self._longest_gap)
        if gap > LATE:
            self._report.observed(at, "late", {"seconds": round(gap, 3)})

    def _tell_shares(self, world: World) -> None:
        by_pods = {("service", key): shares(world, service) for key, service in world.services.items()}
        by_weights = {("route", key): route.shares for key, route in world.routes.items()}
        for (kind, key), now in (by_pods | by_weights).items():
            if now != self._shares.get((kind, key)):
                self._shares[kind, key] = now
                self._report.observed(world.at, "weights", {kind: "/".join(key), "weights": now})

    def _read_logs(self) -> None:
        for line in self._audit_log.lines() if self._audit_log else ():
            before = len(self._writes.writes)
            for violation in self._writes.read(line):
                self._report.violated(violation)
            for write in self._writes.writes[before:]:
                self._report.observed(write.asked, "write", asdict(write) | {"service": "/".join(write.service)})
        for line in self._client_log.lines() if self._client_log else ():
            for violation in self._client.read(line):
                self._report.violated(violation)

    async def _judge(self, rise: Rise) -> None:
        """Repeat the analysis that must have raised the weight; a rise that cannot be justified breaks the invariant."""
        subject = "/".join(rise.service)
        verdict = await self._justification(rise)
        if verdict.passes:
            self._report.observed(rise.at, "analysis", {"service": subject, "candidate": rise.candidate, "figures": verdict.sentence})
        else:
            detail = f"{rise.candidate} rose to {rise.detail} without a good analysis: {verdict.sentence}"
            self._report.violated(Violation(rise.at, CandidateRises.name, subject, detail))

    async def _justification(self, rise: Rise) -> Verdict:
        if self._prometheus is None:
            return Verdict(False, "this observer was given no Prometheus to ask")
        try:
            return await judged(rise, self._prometheus)
        except PrometheusError as fault:
            return Verdict(False, str(fault))

    async def _explain(self, fall: Fall) -> None:
        """Tell since when the samples in Prometheus had spoken against a candidate that lost its weight."""
        with suppress(PrometheusError):
            failure = await first_failure(fall, self._prometheus) if self._prometheus else None
            if failure is not None:
                at, verdict = failure
                seen = {"service": "/".join(fall.service), "candidate": fall.candidate, "figures": verdict.sentence}
                self._report.observed(at, "failure", seen | {"weightTaken": fall.at})

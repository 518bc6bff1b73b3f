"""What the report tells of policies and runs: the few fields of their objects that it shows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from trainer.monitor.objects import Document, Policy, Run, read_policy, read_run


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One entry of a run's timeline."""

    at: datetime
    phase: str
    reason: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStory:
    """A run with all that its checklist asks about; `created` is when it was made."""

    run: Run
    created: datetime
    phase: str
    frozen: Mapping[str, Any]
    result: Mapping[str, Any]
    attempt: int
    timeline: tuple[Told, ...]

    def told(self, *phases: str) -> Told | None:
        """Return the first entry of any of these phases."""
        return next((each for each in self.timeline if each.phase in phases), None)

    def reasoned(self, *reasons: str) -> Told | None:
        """Return the last entry with any of these reasons."""
        return next((each for each in reversed(self.timeline) if each.reason in reasons), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyStory:
    """A policy with its conditions (type, status, reason, message) and the bounds that its figures are held to."""

    policy: Policy
    conditions: tuple[tuple[str, str, str, str], ...]
    accuracy_min: float | None
    missing_max: float


def read_policy_story(document: Document) -> PolicyStory:
    """Return the policy in an object of the API."""
    spec, status = document["spec"], document.get("status") or {}
    gate = {metric.get("name"): metric for metric in (spec.get("gate") or {}).get("metrics") or ()}
    missing = ((spec.get("dataQuality") or {}).get("maxMissing") or {}).get("ratio")
    return PolicyStory(
        policy=read_policy(document),
        conditions=tuple(
            (each["type"], each["status"], each.get("reason", ""), each.get("message", ""))
            for each in status.get("conditions") or ()
        ),
        accuracy_min=(gate.get("accuracy") or {}).get("min"),
        missing_max=0.1 if missing is None else float(missing),
    )


def read_run_story(document: Document) -> RunStory:
    """Return the run in an object of the API."""
    status = document.get("status") or {}
    return RunStory(
        run=read_run(document),
        created=datetime.fromisoformat(document["metadata"]["creationTimestamp"]),
        phase=status.get("phase") or "Pending",
        frozen=status.get("frozen") or {},
        result=status.get("result") or {},
        attempt=int(status.get("attempt") or 1),
        timeline=tuple(
            Told(
                at=datetime.fromisoformat(each["at"]),
                phase=each["phase"],
                reason=each["reason"],
                message=each.get("message", ""),
            )
            for each in status.get("timeline") or ()
        ),
    )


def of_period(runs: Sequence[RunStory], since: datetime, until: datetime) -> list[RunStory]:
    """Return the runs that were under way at some time of the period, the newest first."""
    under_way = [
        story
        for story in runs
        if story.created <= until and (story.run.completed_at or until + timedelta(seconds=1)) > since
    ]
    return sorted(under_way, key=lambda story: story.created, reverse=True)

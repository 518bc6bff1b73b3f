"""`history` and `versions`: what was tried, how it ended, and why; a run's whole timeline."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retrainer.api.v1alpha1.policy_status import VersionOutcome
from retrainer.cli.tables import plain
from retrainer.cli.words import NONE, ago, colour_of, span, stamp, where
from retrainer.core.observation import PolicySeen, RunSeen

_OUTCOMES = {
    VersionOutcome.UNDER_WAY: "cyan",
    VersionOutcome.SERVES: "green",
    VersionOutcome.SERVED: "",
    VersionOutcome.REJECTED: "red",
}


def history(runs: Sequence[RunSeen], now: datetime) -> Table:
    """Return one line a run, the newest first: cause, version, score, outcome and the sentence that goes with it."""
    table = plain("RUN", "TRIGGER", "CAUSE", "VERSION", "SCORE", "OUTCOME", "WHY", "TOOK", "AGE")
    for run in reversed(runs):
        status = run.status
        ended = status.completed_at or now
        table.add_row(
            run.name, run.spec.trigger, run.spec.message or run.spec.reason, status.version or NONE, status.score or NONE,
            Text(where(run), colour_of(run)), f"{status.reason}: {status.message}", span(ended - run.identity.created),
            ago(run.identity.created, now),
        )  # fmt: skip
    return table


def versions(policy: PolicySeen, now: datetime) -> Table:
    """Return one line a kept version, the latest first: each may be pinned or rolled back to, but one under way."""
    table = plain("VERSION", "OUTCOME", "SINCE", "RUN", "DIGEST")
    for one in policy.status.versions:
        table.add_row(one.version, Text(one.outcome, _OUTCOMES[one.outcome]), ago(one.since, now), one.run or NONE, one.digest[:19] or NONE)
    return table


def story(run: RunSeen, now: datetime) -> RenderableType:
    """Return one run from its evidence to its outcome: the whole timeline with the time each entry took."""
    status = run.status
    head = Table.grid(padding=(0, 2))
    head.add_row(Text("run", "bold"), Text(f"{run.identity.namespace}/{run.name}", "bold"))
    head.add_row("cause", f"{run.spec.trigger}: {run.spec.reason} {run.spec.message}")
    for item in (*run.spec.evidence, *status.evidence):
        head.add_row("evidence", f"{item.trigger} since {stamp(item.starts_at)}: {item.message}")
    head.add_row("version", status.version or NONE)
    head.add_row("state", Text(f"{where(run)} {status.reason}: {status.message}", colour_of(run)))
    return Group(head, Text(), _timeline(run, now), *_figures(run))


def _timeline(run: RunSeen, now: datetime) -> Table:
    table = plain("AT", "TOOK", "PHASE", "REASON", "WHAT")
    entries = run.status.timeline
    for entry, following in zip(entries, (*entries[1:], None), strict=True):
        until = following.at if following else (run.status.completed_at or now)
        table.add_row(stamp(entry.at), span(until - entry.at), str(entry.phase), entry.reason, entry.message)
    return table


def _figures(run: RunSeen) -> list[RenderableType]:
    result = run.status.result
    if result is None:
        return []
    champion = result.metrics.champion or {}
    table = plain("FIGURE", "CANDIDATE", "CHAMPION")
    for name, value in sorted(result.metrics.candidate.items()):
        table.add_row(name, f"{value:.4g}", f"{champion[name]:.4g}" if name in champion else NONE)
    return [Text(), table, *(Text(f"warning: {warning}", "yellow") for warning in result.warnings)]

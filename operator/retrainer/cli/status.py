"""`status`: what serves, what is under way, and how far it has come, at a glance."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retrainer.api.v1alpha1 import Condition, seconds
from retrainer.api.v1alpha1.run_status import Frozen
from retrainer.cli.tables import plain
from retrainer.cli.words import NONE, ago, colour_of, is_good, stamp, where
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Phase

_SHOWN_RUNS = 5
_WAY: tuple[Phase, ...] = tuple(phase for phase in Phase if phase not in {Phase.PENDING, Phase.FINISHED})


def overview(policies: Sequence[PolicySeen], now: datetime) -> Table:
    """Return one line a policy."""
    table = plain("NAMESPACE", "POLICY", "READY", "STATUS", "CHAMPION", "CANDIDATE", "WEIGHT", "NEXT", "AGE")
    for policy in policies:
        status, ready = policy.status, _condition(policy, "Ready")
        weight = status.traffic.candidate_weight if status.traffic else 0
        table.add_row(
            policy.identity.namespace,
            policy.identity.name,
            Text(ready.status if ready else NONE, _colour(is_good(ready) if ready else None)),
            ready.reason if ready else NONE,
            status.champion.version if status.champion else NONE,
            status.candidate.version if status.candidate else NONE,
            f"{weight} %",
            stamp(status.next_schedule),
            ago(policy.identity.created, now),
        )
    return table


def picture(policy: PolicySeen, runs: Sequence[RunSeen], now: datetime) -> RenderableType:
    """Return one policy: its conditions, its versions with their share, the run under way with its steps, and the latest runs."""
    parts: list[RenderableType] = [_heading(policy), _versions(policy, now)]
    parts += [_progress(run, now) for run in runs if run.live and run.status.phase is not Phase.PENDING]
    if runs:
        parts += [Text(), _latest(runs, now)]
    return Group(*parts)


def _heading(policy: PolicySeen) -> RenderableType:
    lines = Table.grid(padding=(0, 2))
    lines.add_row(Text("policy", "bold"), Text(f"{policy.identity.namespace}/{policy.identity.name}", "bold"))
    for condition in policy.status.conditions:
        if condition.type in {"Ready", "Reconciling"} or is_good(condition) is False:
            told = Text(f"{condition.status} {condition.reason}: {condition.message}", _colour(_mood(condition.type, is_good(condition))))
            lines.add_row(condition.type, told)
    return lines


def _versions(policy: PolicySeen, now: datetime) -> RenderableType:
    status, traffic = policy.status, policy.status.traffic
    table = plain("ROLE", "VERSION", "ASKED", "EFFECTIVE", "READY PODS", "SINCE")
    asked, effective = (traffic.candidate_weight, traffic.effective_weight) if traffic else (0, 0)
    rows = (
        ("champion", status.champion, 100 - asked, 100 - effective, traffic.champion_ready if traffic else 0),
        ("candidate", status.candidate, asked, effective, traffic.candidate_ready if traffic else 0),
        ("previous", status.previous, 0, 0, None),
    )
    for role, version, weight, share, pods in rows:
        if version is not None:
            ready = NONE if pods is None else str(pods)
            table.add_row(role, version.version, f"{weight} %", f"{share} %", ready, ago(version.since, now))
    return table if table.row_count else Text("no version serves yet", "yellow")


def _progress(run: RunSeen, now: datetime) -> RenderableType:
    status = run.status
    passed = {entry.phase for entry in status.timeline}
    # Nobody need approve: the phase is shown where somebody must, or had to.
    way: list[Phase] = [phase for phase in _WAY if phase is not Phase.AWAITING_APPROVAL or phase in {status.phase, *passed}]
    here = way.index(status.phase)
    line = Text(f"\n{run.name} ", "bold")
    for index, phase in enumerate(way):
        mark, style = ("✔", "green") if index < here else ("●", "cyan bold") if index == here else ("○", "dim")
        line.append(f" {mark} {phase}", style)
    line.append(f"\n  {status.reason}: {status.message} ({ago(status.phase_since, now)} in this phase)")
    if status.phase is Phase.CANARY and status.analysis is not None and status.frozen is not None:
        line.append(f"\n  {_steps(run, status.frozen)}")
    return line


def _steps(run: RunSeen, frozen: Frozen) -> str:
    analysis, rollout = run.status.analysis, frozen.rollout
    assert analysis is not None
    steps = " → ".join(f"[{weight} %]" if index == analysis.step else f"{weight} %" for index, weight in enumerate(rollout.step_weights))
    every = f"every {seconds(rollout.interval):.0f} s"
    return f"steps {steps}; {analysis.passed} of {rollout.iterations} good, {analysis.failed} failed, {every}"


def _latest(runs: Sequence[RunSeen], now: datetime) -> Table:
    table = plain("RUN", "TRIGGER", "STATE", "VERSION", "SCORE", "REASON", "AGE")
    for run in list(reversed(runs))[:_SHOWN_RUNS]:
        status = run.status
        table.add_row(
            run.name, run.spec.trigger, Text(where(run), colour_of(run)), status.version or NONE, status.score or NONE,
            status.reason or NONE, ago(run.identity.created, now),
        )  # fmt: skip
    return table


def _condition(policy: PolicySeen, kind: str) -> Condition | None:
    return next((one for one in policy.status.conditions if one.type == kind), None)


def _mood(kind: str, good: bool | None) -> bool | None:
    """A run under way is neither good nor bad."""
    return None if kind == "Reconciling" else good


def _colour(good: bool | None) -> str:
    return {True: "green", False: "red", None: ""}[good]

"""What a backtest prints: when each trigger would have fired or been refused, how many runs, and the figures against their bounds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import uniplot
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from retrainer.api.v1alpha1.policy_status import TriggerStatus
from retrainer.cli.backtest.command import Backtest
from retrainer.cli.backtest.replay import Point, Transition
from retrainer.cli.explain import kind_of
from retrainer.cli.tables import plain
from retrainer.cli.words import NONE, span

_SHOWN = 40
_PLOT_HEIGHT = 10
_ACTS = frozenset({"Started", "Firing", "Refused"})


def shown(found: Backtest, width: int) -> RenderableType:
    """Return the whole answer for people."""
    parts: list[RenderableType] = [_heading(found), Text(), _triggers(found)]
    if stretches := _stretches(found.replay.transitions):
        parts += [Text(), _happened(stretches)]
    parts += [part for name, points in found.replay.points.items() for part in _plot(name, points, found, width)]
    return Group(*parts)


def wire(found: Backtest) -> dict[str, Any]:
    """Return the whole answer for machines."""
    return {
        "policy": found.policy.identity.name,
        "namespace": found.policy.identity.namespace,
        "from": found.span.start.isoformat(),
        "to": found.span.end.isoformat(),
        "stepSeconds": found.span.step.total_seconds(),
        "assumes": "no retraining happened",
        "runs": [
            {"name": name, "at": run.identity.created.isoformat(), "trigger": run.spec.trigger} for name, run in found.replay.runs.items()
        ],
        "transitions": [one.status.wire() | {"at": one.at.isoformat()} for one in found.replay.transitions],
    }


def _heading(found: Backtest) -> RenderableType:
    policy, days, runs = found.policy.identity, span(found.span.end - found.span.start), len(found.replay.runs)
    until = f"{found.span.end:%Y-%m-%d %H:%M} UTC"
    lines = [
        f"{policy.namespace}/{policy.name}: {days} to {until}, every {span(found.span.step)}, as if no retraining had happened",
        f"{runs} run{'' if runs == 1 else 's'} would have started; decided in {found.decided_in_s:.1f} s",
        *_champions(found),
    ]
    return Text("\n".join(lines))


def _champions(found: Backtest) -> Iterator[str]:
    if not found.champions:
        yield f"no version of {found.policy.spec.model_type} has answered anything in this time: is retrainer_predictions_total scraped?"
        return
    since: dict[str, datetime] = {}
    for moment, version in found.champions.items():
        since.setdefault(version, moment)
    yield "versions that served: " + ", ".join(f"{version} from {at:%Y-%m-%d %H:%M}" for version, at in since.items())


def _triggers(found: Backtest) -> Table:
    """Return one line a trigger: how often it came to each state, and how it is at the end."""
    table = plain("TRIGGER", "KIND", "STARTED", "JOINED", "REFUSED", "AT THE END")
    for trigger in found.policy.spec.triggers:
        mine = [one.status for one in found.replay.transitions if one.status.name == trigger.name]
        started = sum(run.spec.trigger == trigger.name for run in found.replay.runs.values())
        joined, refused = (sum(test(status) for status in mine) for test in (_has_joined, lambda status: status.state == "Refused"))
        last = f"{mine[-1].reason}: {mine[-1].message}" if mine else NONE
        table.add_row(trigger.name, kind_of(trigger), str(started), str(joined), str(refused), last)
    return table


def _has_joined(status: TriggerStatus) -> bool:
    return status.reason == "Coalesced"


@dataclass(slots=True)
class _Stretch:
    """What a trigger came to again and again, told once."""

    first: Transition
    times: int = 1


def _stretches(transitions: Sequence[Transition]) -> list[_Stretch]:
    """Return what happened: of one moment what it ended with, and of one reason in a row the first and how often."""
    ends = {(one.at, one.status.name): one for one in transitions if one.status.state in _ACTS}
    latest: dict[str, _Stretch] = {}
    stretches: list[_Stretch] = []
    for one in ends.values():
        before = latest.get(one.status.name)
        told = (one.status.state, one.status.reason)
        if before is not None and one.status.state != "Started" and told == (before.first.status.state, before.first.status.reason):
            before.times += 1
            continue
        latest[one.status.name] = _Stretch(one)
        stretches.append(latest[one.status.name])
    return stretches


def _happened(stretches: Sequence[_Stretch]) -> RenderableType:
    table = plain("WHEN", "TRIGGER", "STATE", "WHY")
    for stretch in stretches[:_SHOWN]:
        at, status = stretch.first.at, stretch.first.status
        style = "green" if status.state == "Started" else "yellow"
        why = f"{status.reason}: {status.message}" + (f" ({stretch.times} times in a row)" if stretch.times > 1 else "")
        table.add_row(f"{at:%Y-%m-%d %H:%M}", status.name, Text(status.state, style), why)
    more = len(stretches) - _SHOWN
    return Group(table, Text(f"… and {more} more: --output json has all")) if more > 0 else table


def _plot(name: str, points: Sequence[Point], found: Backtest, width: int) -> Iterator[RenderableType]:
    """Yield a figure over time with its bound, where there was any."""
    moments = np.array([moment.astimezone(UTC).replace(tzinfo=None) for moment in found.span.moments[: len(points)]], dtype="datetime64[s]")
    values = np.array([np.nan if point.value is None else point.value for point in points], dtype=float)
    bounds = np.array([np.nan if point.threshold is None else point.threshold for point in points], dtype=float)
    if np.isnan(values).all():
        return
    drawn = [(values, "figure")] + ([(bounds, "bound")] if not np.isnan(bounds).all() else [])
    lines, labels = [line for line, _ in drawn], [label for _, label in drawn]
    size = {"width": max(40, width - 20), "height": _PLOT_HEIGHT}
    look = {"lines": True, "title": name, "legend_labels": labels, "character_set": "braille", "color": False}
    yield Text()
    yield Text(uniplot.plot_to_string(xs=[moments] * len(drawn), ys=lines, **size, **look))

"""`explain`: why a policy did or did not act, trigger by trigger, and what it waits for. All of it stands in its status too."""

from collections.abc import Sequence
from datetime import datetime

from rich.console import Group, RenderableType
from rich.text import Text

from retrainer.api.v1alpha1.policy_status import TriggerStatus
from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.cli.tables import plain
from retrainer.cli.words import NONE, ago, is_good
from retrainer.core.commands import PAUSED
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Phase

_STYLES = {"Armed": "", "Firing": "yellow", "Refused": "yellow", "Started": "green"}


def explanation(policy: PolicySeen, runs: Sequence[RunSeen], now: datetime) -> RenderableType:
    """Return the answer to "why does it do nothing?" and to "what is it doing?"."""
    parts: list[RenderableType] = [Text(sentence(policy, runs), "bold"), Text(), _triggers(policy, now)]
    parts += [_asked(run) for run in runs if run.status.phase is Phase.AWAITING_APPROVAL]
    if (wrong := _wrong(policy)) is not None:
        parts += [Text(), wrong]
    return Group(*parts)


def sentence(policy: PolicySeen, runs: Sequence[RunSeen]) -> str:
    """Return in one sentence what the policy does now."""
    name, busy = policy.identity.name, [run for run in runs if run.live]
    if busy:
        return "; ".join(f"{run.name} is in {run.status.phase}: {run.status.reason}, {run.status.message}" for run in busy)
    ready = next((one for one in policy.status.conditions if one.type == "Ready"), None)
    if ready is None:
        return f"the operator has not looked at {name} yet: is it running, and does it watch namespace {policy.identity.namespace}?"
    if ready.status != "True":
        return f"{name} starts nothing: {ready.reason}, {ready.message}"
    if policy.spec.suspend:
        return f"{name} starts nothing: it is suspended (spec.suspend)"
    if any(command.reason == PAUSED for command in policy.status.commands):
        return f"{name} starts nothing: it is paused (kubectl retrain resume {name})"
    refused = [one for one in policy.status.triggers if one.state == "Refused"]
    if refused:
        return f"{name} starts nothing, though {', '.join(one.name for one in refused)} asked for a run"
    return f"{name} starts nothing: no trigger asks for a run"


def _triggers(policy: PolicySeen, now: datetime) -> RenderableType:
    if not policy.spec.triggers:
        return Text("it has no triggers: only a person starts a run (kubectl retrain trigger)")
    known = {one.name: one for one in policy.status.triggers}
    table = plain("TRIGGER", "KIND", "STATE", "SINCE", "WHY")
    for trigger in policy.spec.triggers:
        table.add_row(trigger.name, kind_of(trigger), *_told(known.get(trigger.name), now))
    return table


def _told(status: TriggerStatus | None, now: datetime) -> tuple[RenderableType, str, str]:
    if status is None:
        return Text(NONE), NONE, "not looked at yet"
    return Text(status.state, _STYLES.get(status.state, "")), ago(status.since, now), f"{status.reason}: {status.message}"


def kind_of(trigger: Trigger) -> str:
    """Return which member of the union is set."""
    members = {"schedule": trigger.schedule, "metric": trigger.metric, "schema": trigger.schema_, "alert": trigger.alert}
    return next((kind for kind, member in members.items() if member is not None), NONE)


def _asked(run: RunSeen) -> RenderableType:
    return Text(f"\n{run.name} waits for a person: kubectl retrain approve {run.name}   or   kubectl retrain abort {run.name}", "yellow")


def _wrong(policy: PolicySeen) -> RenderableType | None:
    """Return the conditions that are not as they should be."""
    wrong = [one for one in policy.status.conditions if is_good(one) is False and one.type != "Reconciling"]
    if not wrong:
        return None
    return Group(*(Text(f"{one.type}={one.status} {one.reason}: {one.message}", "red") for one in wrong))

"""What people are told in their channel: one notice a transition, with the command that is theirs to give next."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from retrainer.core.actions import Announcement, Severity
from retrainer.core.identity import Identity
from retrainer.core.observation import Observation
from retrainer.core.phases import Outcome, Phase

_WAITS_FOR_A_PERSON: Final = Phase.AWAITING_APPROVAL
CIRCUIT_OPEN: Final = "CircuitOpen"

# By the reason of an announcement: what a person may do then.
_COMMANDS: Final[Mapping[str, Callable[[str, str], str]]] = {
    _WAITS_FOR_A_PERSON: lambda run, _: f"approve {run}",
    Phase.CANARY: lambda run, _: f"abort {run}",
    Phase.WATCHING: lambda _, policy: f"rollback {policy}",
    Outcome.SUCCEEDED: lambda _, policy: f"rollback {policy}",
    CIRCUIT_OPEN: lambda _, policy: f"resume {policy}",
}


@dataclass(frozen=True, slots=True)
class Notice:
    """A transition of a policy (namespace and name) or, where `run` is not empty, of one of its runs, for one notifier."""

    notifier: str
    policy: Identity
    run: str
    reason: str
    message: str
    command: str
    """What a person may do now, for a shell; empty where nothing is theirs to do."""
    is_urgent: bool
    """Whether something went wrong, or waits for a person."""


def notices(seen: Observation, announcements: tuple[Announcement, ...]) -> list[Notice]:
    """Return what the policy's notifiers are told of a round: what is announced about the policy, where each phase of a run is, too."""
    about_policy = [one for one in announcements if not one.on_run]
    return [
        notice
        for wanted in seen.policy.spec.notifications
        for one in about_policy
        if (notice := _notice(wanted.notifier, seen.policy.identity, one)).is_urgent or wanted.min_severity == "Info"
    ]


def _notice(notifier: str, policy: Identity, one: Announcement) -> Notice:
    command = _COMMANDS.get(one.reason)
    told = f"kubectl retrain --namespace {policy.namespace} {command(one.run, policy.name)}" if command else ""
    urgent = one.severity is Severity.WARNING or one.reason == _WAITS_FOR_A_PERSON
    return Notice(notifier, policy, one.run, one.reason, one.message, told, urgent)

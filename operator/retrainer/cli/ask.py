"""What people ask: each is one write of an object, the same that `kubectl create` or `kubectl annotate` would make.

A command names the version it means, so that one that comes too late does nothing. Who asked is written beside it as the caller says it;
the API server's audit log is the proof.
"""

import getpass
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retrainer.api.v1alpha1.policy_status import VersionOutcome
from retrainer.cli.session import Session
from retrainer.core import naming
from retrainer.core.commands import approval_is_used
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Phase
from retrainer.core.run.pending import version_of
from retrainer.errors import NotFound, Refused

ASKED_BY = "retrainer.dev/asked-by"
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person wants of a run that they start."""

    reason: str = "Requested"
    message: str = ""
    dry_run: bool = False
    hyperparameters: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    priority: int | None = None
    emergency: str = ""
    """The reason of an emergency; empty for a run that can wait."""
    max_weight: int | None = None


async def start(session: Session, policy: PolicySeen, wanted: Wanted) -> str:
    """Create a run of the policy and return its name."""
    name = f"{policy.identity.name}-manual-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"
    spec: Manifest = {"policyRef": {"name": policy.identity.name}, "trigger": "manual", "reason": wanted.reason}
    emergency = {"reason": wanted.emergency} | ({"maxWeight": wanted.max_weight} if wanted.max_weight else {})
    optional = {
        "message": wanted.message,
        "dryRun": wanted.dry_run or None,
        "hyperparameters": dict(wanted.hyperparameters),
        "data": dict(wanted.data),
        "priority": wanted.priority,
        "emergency": emergency if wanted.emergency else {},
    }
    spec |= {name: value for name, value in optional.items() if value or value == 0}
    manifest: Manifest = {
        "apiVersion": Kind.RUN.api_version,
        "kind": Kind.RUN.kind,
        "metadata": {"namespace": policy.identity.namespace, "name": name, "annotations": {ASKED_BY: caller()}},
        "spec": spec,
    }
    await session.cluster.create(manifest)
    return name


async def annotate_run(session: Session, run: RunSeen, verb: str) -> str:
    """Ask something of a run under way, in the name of the version it makes; return that version."""
    version = run.status.version or version_of(run)
    await _annotate(session, Ref(Kind.RUN, *run.identity.key), {verb: command_value(run, verb, version)})
    return version


def command_value(run: RunSeen, verb: str, version: str) -> str:
    """Return a command's value: the version, and of a second approval a word that makes it another than the one the gate has used."""
    return f"{version}@promotion" if verb == naming.APPROVE and approval_is_used(run) else version


async def annotate_policy(session: Session, policy: PolicySeen, verb: str, value: str = "") -> None:
    """Ask something of a policy, with a value that it has not had before: a new word, after `value@` where one is given."""
    word = secrets.token_hex(4)
    await _annotate(session, Ref(Kind.POLICY, *policy.identity.key), {verb: f"{value}@{word}" if value else word})


def version_to_return_to(policy: PolicySeen, wanted: str | None) -> str:
    """Return the kept version that is wanted, or else the latest that served before; Refused with what there is instead."""
    status = policy.status
    champion = status.champion.version if status.champion else ""
    kept = [one.version for one in status.versions if one.version != champion and one.outcome is not VersionOutcome.UNDER_WAY]
    served = [one.version for one in status.versions if one.version in kept and one.outcome is VersionOutcome.SERVED]
    chosen = wanted or (status.previous.version if status.previous else "") or next(iter(served), "")
    if chosen in kept:
        return chosen
    there = ", ".join(kept) or "none"
    name = policy.identity.name
    if not chosen:
        raise Refused(f"{name} has no version to go back to; kept are: {there}")
    raise Refused(f"{name} keeps no version {chosen} beside what serves; kept are: {there}")


async def _annotate(session: Session, ref: Ref, marks: Mapping[str, str]) -> None:
    await session.cluster.patch(ref, {"metadata": {"annotations": {**marks, ASKED_BY: caller()}}})


async def run_meant(session: Session, name: str, wanted: Phase | None = None) -> RunSeen:
    """Return the run of that name, or the one under way of the policy of that name, in the phase that is wanted where one is.

    NotFound or Refused with a sentence that says what there is instead.
    """
    run = await session.run(name)
    if run is None:
        runs = [one for one in await session.runs((await session.policy(name)).identity.name) if one.live]
        fitting = [one for one in runs if wanted in {None, one.status.phase}]
        if not fitting:
            there = ", ".join(f"{one.name} is in {one.status.phase}" for one in runs) or "no run is under way"
            raise NotFound(f"policy {name} has no run {f'in {wanted}' if wanted else 'under way'}: {there}")
        run = fitting[-1]
    if not run.live:
        raise Refused(f"{run.name} has ended already: {run.status.outcome}, {run.status.message}")
    if wanted is not None and run.status.phase is not wanted:
        raise Refused(f"{run.name} is in {run.status.phase}, not in {wanted}: {run.status.reason}, {run.status.message}")
    return run


def caller() -> str:
    """Return who calls, as their system says."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"


RUN_VERBS: Mapping[str, str] = {"approve": naming.APPROVE, "abort": naming.ABORT, "promote": naming.PROMOTE}
POLICY_VERBS: Mapping[str, str] = {"pause": naming.PAUSE, "resume": naming.RESUME}

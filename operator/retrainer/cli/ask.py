"""What people ask: each is one write of an object, the same that `kubectl create` or `kubectl annotate` would make.

A command names the version it means, so that one that comes too late does nothing. Who asked is written beside it as the caller says it;
the API server's audit log is the proof.
"""

import getpass
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from retrainer.cli.session import Session
from retrainer.core import naming
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


async def start(session: Session, policy: PolicySeen, wanted: Wanted) -> str:
    """Create a run of the policy and return its name."""
    name = f"{policy.identity.name}-manual-{''.join(secrets.choice(_LETTERS) for _ in range(5))}"
    spec: Manifest = {"policyRef": {"name": policy.identity.name}, "trigger": "manual", "reason": wanted.reason}
    for key, value in {
        "message": wanted.message, "dryRun": wanted.dry_run, "hyperparameters": dict(wanted.hyperparameters), "data": dict(wanted.data),
    }.items():  # fmt: skip
        if value:
            spec[key] = value
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
    await _annotate(session, Ref(Kind.RUN, *run.identity.key), {verb: version})
    return version


async def annotate_policy(session: Session, policy: PolicySeen, verb: str) -> None:
    """Ask something of a policy, with a value that it has not had before."""
    await _annotate(session, Ref(Kind.POLICY, *policy.identity.key), {verb: secrets.token_hex(4)})


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

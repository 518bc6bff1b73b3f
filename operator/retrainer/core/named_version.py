"""The version that people name: pinned in Git, or asked for by a rollback command. What it means for a run stands in `core/phases.py`.

A pin wins over everything for as long as it is there. A command is heard once: its value is remembered in status, and besides in the run
that redeploys the version, so that a round that died between the two does not ask twice.
"""

from dataclasses import dataclass
from typing import Final

from pydantic import TypeAdapter, ValidationError

from retrainer.api.v1alpha1 import ModelRetrainRunSpec
from retrainer.api.v1alpha1.command import Verb
from retrainer.api.v1alpha1.common import VersionName, cut
from retrainer.api.v1alpha1.policy_status import VersionOutcome
from retrainer.api.v1alpha1.run import PolicyRef, Redeploy
from retrainer.core import naming
from retrainer.core.actions import StartRun
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Stage, stage

PINNED: Final = "Pinned"
ROLLBACK_ASKED: Final = "RollbackAsked"
_VERSION: Final = TypeAdapter(VersionName)


@dataclass(frozen=True, slots=True)
class Named:
    """The version that shall serve, why, and the command's value where one asked for it."""

    version: str
    reason: str
    message: str
    asked: str = ""


@dataclass(frozen=True, slots=True)
class Heard:
    """What comes of a rollback command that is heard for the first time."""

    named: Named | None
    reason: str
    message: str


def named_version(seen: Observation) -> Named | None:
    """Return the version that people want to serve now, or None where everything is left to the runs."""
    if pin := seen.policy.spec.serving.pinned_version:
        return Named(pin, PINNED, f"{pin} is pinned")
    heard = rollback_heard(seen)
    return heard.named if heard is not None else None


def rollback_heard(seen: Observation) -> Heard | None:
    """Return what comes of the rollback command, or None where there is none that is new."""
    value = seen.policy.rollback
    known = next((one for one in seen.policy.status.commands if one.verb is Verb.ROLLBACK), None)
    if not value or (known is not None and known.value == value):
        return None
    version = value.partition("@")[0]
    if not _is_version(version):
        return Heard(None, "Malformed", f"it is to be <version>@<any word that is new>, not {value!r}")
    if pin := seen.policy.spec.serving.pinned_version:
        return Heard(None, PINNED, f"{pin} is pinned, which wins over every command: edit spec.serving.pinnedVersion")
    if run := next((run.name for run in seen.runs if _brings_back(run, version, value)), ""):
        return Heard(None, "UnderWay", f"{run} brings {version} back already")
    if version == seen.champion and not _is_rolling_out(seen):
        return Heard(None, "AlreadyServes", f"{version} serves already")
    if not _is_kept(seen, version):
        return Heard(None, "NotKept", f"{version} is not kept: {', '.join(_kept(seen))} are")
    named = Named(version, ROLLBACK_ASKED, f"a person asked for {version}", value)
    return Heard(named, "Taken", f"{version} shall serve")


def redeployment(seen: Observation, *, returning: str, number: int) -> StartRun | None:
    """Return the run that brings the named version back; none where it serves, comes back already (`returning`), or has been tried."""
    named = named_version(seen)
    if named is None or named.version in {seen.champion, returning}:
        return None
    if not _is_kept(seen, named.version) or _was_tried(seen, named):
        return None
    policy = seen.policy
    spec = ModelRetrainRunSpec(
        policy_ref=PolicyRef(name=policy.identity.name),
        version=named.version,
        redeploy=Redeploy(asked=named.asked),
        trigger="rollback" if named.asked else "pin",
        reason=named.reason,
        message=cut(named.message),
        policy_generation=policy.generation,
    )
    return StartRun(naming.run_name(policy.identity.name, number), spec)


def pin_problem(seen: Observation) -> tuple[str, str] | None:
    """Return why the pinned version does not serve and will not by itself, as a reason and a sentence."""
    named = named_version(seen)
    if named is None or named.reason != PINNED or named.version == seen.champion:
        return None
    if not _is_kept(seen, named.version):
        return "PinnedVersionNotKept", f"{named.version} is pinned but not kept ({', '.join(_kept(seen))} are): pin one of those"
    tried = [run for run in seen.runs if _tries(seen, run.spec, named)]
    if not tried or any(run.live for run in tried):
        return None
    return "PinnedVersionFailed", f"{named.version} is pinned, but {tried[-1].name} failed: {tried[-1].status.message}"


def _brings_back(run: RunSeen, version: str, value: str) -> bool:
    """Say whether a run of another command's or a pin's does what this command asks."""
    return run.live and run.spec.redeploy is not None and run.spec.version == version and run.spec.redeploy.asked != value


def _was_tried(seen: Observation, named: Named) -> bool:
    """A version that would not come up is not tried for ever: a pin once a generation of the policy, a command once."""
    return any(_tries(seen, run.spec, named) for run in seen.runs)


def _tries(seen: Observation, spec: ModelRetrainRunSpec, named: Named) -> bool:
    if spec.redeploy is None or spec.version != named.version or spec.redeploy.asked != named.asked:
        return False
    return bool(named.asked) or spec.policy_generation == seen.policy.generation


def _is_rolling_out(seen: Observation) -> bool:
    return any(stage(run.status.phase) is Stage.ROLLOUT for run in seen.runs)


def _is_kept(seen: Observation, version: str) -> bool:
    """A policy that has lost its status knows of no version; whether an artifact is there its pods will say."""
    return not seen.policy.status.versions or version in _kept(seen)


def _kept(seen: Observation) -> list[str]:
    """Return the versions that may serve; of one under way nobody knows yet whether it may."""
    return [one.version for one in seen.policy.status.versions if one.outcome is not VersionOutcome.UNDER_WAY]


def _is_version(text: str) -> bool:
    try:
        _VERSION.validate_python(text)
    except ValidationError:
        return False
    return bool(text)

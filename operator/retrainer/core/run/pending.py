"""Pending: the run waits for the training slot, then freezes what it uses of the policy and has its data looked at."""

from dataclasses import replace
from typing import Final

from retrainer.api.v1alpha1 import ModelRetrainRunStatus, seconds
from retrainer.api.v1alpha1.rollout import Rollout, Watch
from retrainer.api.v1alpha1.run_status import Frozen
from retrainer.api.v1alpha1.training import DataOverride, Training
from retrainer.core import naming
from retrainer.core.acceptance import problem
from retrainer.core.actions import LaunchJob
from retrainer.core.holding import held
from retrainer.core.limits import Limit, circuit_is_open, cools_down, fleet_is_full, is_frozen, is_limited
from retrainer.core.line import superseded_by, waiting
from retrainer.core.observation import Component, Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.step import Step, end, move, wait


def pending(run: RunSeen, seen: Observation) -> Step:
    """Take the training slot, and freeze what the run uses, unless another run has made this one pointless or something holds it back.

    The validation Job comes before what was frozen is on record: after a death in between, `validating` looks what it was made of.
    """
    status, now = run.status, seen.now
    if (step := _pointless(run, seen)) is not None:
        return step
    if (hold := next((found for check in _HOLDS if (found := check(run, seen)) is not None), None)) is not None:
        return wait(status, now, hold.reason, hold.message, after=hold.seconds_left(now))
    taken = move(
        status,
        now,
        Phase.VALIDATING,
        "Validating",
        "the data is looked at before a GPU is asked for",
        version=status.version or version_of(run),
        frozen=frozen_now(run, seen),
    )
    return replace(taken, effects=(LaunchJob(replace(run, status=taken.status), Component.VALIDATE, status.validations),))


def _pointless(run: RunSeen, seen: Observation) -> Step | None:
    if (better := superseded_by(run, seen.runs)) is not None:
        urgent = better.spec.emergency
        what = f"the emergency {better.name}" if urgent else f"{better.name} of priority {better.spec.priority}"
        told = f"gives way to {what}, which trains on the same data"
        return end(run.status, seen.now, Outcome.SUPERSEDED, "Emergency" if urgent else "HigherPriority", told)
    if _is_outdated(run, seen):
        told = f"{seen.champion} was promoted after everything that spoke for this run had begun"
        return end(run.status, seen.now, Outcome.SUPERSEDED, "EvidencePredatesChampion", told)
    return None


def _policy_is_held(_: RunSeen, seen: Observation) -> Limit | None:
    halt = held(seen)
    return Limit(halt.reason, f"{halt.message}: no new phase starts until {halt.until}") if halt is not None else None


def _policy_is_not_accepted(_: RunSeen, seen: Observation) -> Limit | None:
    found = problem(seen)
    return Limit(found.reason, found.message) if found is not None else None


def _slot_is_taken(_: RunSeen, seen: Observation) -> Limit | None:
    holder = seen.training
    return Limit("TrainingSlotTaken", f"waits until {holder.name} has left {holder.status.phase}") if holder is not None else None


def _champion_is_about_to_change(_: RunSeen, seen: Observation) -> Limit | None:
    """What trains beside a rollout that succeeds is compared with a champion that no longer serves, and rejected."""
    if (rollout := seen.rollout) is None:
        return None
    return Limit("RolloutInProgress", f"waits until {rollout.name} has left {rollout.status.phase}: it may change the champion")


def _another_goes_first(run: RunSeen, seen: Observation) -> Limit | None:
    first = waiting(seen.runs)[0]
    return Limit("TrainingSlotTaken", f"waits for {first.name}, which goes first") if first is not run else None


def _policy_is_dry(run: RunSeen, seen: Observation) -> Limit | None:
    """A run that the operator made is a trigger's deed; one that a person made is not."""
    if not (run.by_operator and seen.policy.spec.dry_run):
        return None
    return Limit("DryRun", "the policy's triggers are only reported: nothing starts until spec.dryRun is false")


def _circuit_is_open(run: RunSeen, seen: Observation) -> Limit | None:
    return circuit_is_open(seen) if not run.spec.dry_run else None


def _policy_is_frozen(run: RunSeen, seen: Observation) -> Limit | None:
    return is_frozen(seen) if run.spec.emergency is None and not run.spec.dry_run else None


def _policy_cools_down(run: RunSeen, seen: Observation) -> Limit | None:
    return cools_down(seen) if is_limited(run) else None


_HOLDS: Final = (
    _policy_is_held,
    _policy_is_not_accepted,
    _policy_is_dry,
    _circuit_is_open,
    _slot_is_taken,
    _champion_is_about_to_change,
    _another_goes_first,
    _policy_is_frozen,
    _policy_cools_down,
    fleet_is_full,
)


def _is_outdated(run: RunSeen, seen: Observation) -> bool:
    """An alert says something about the version that served when it began; a schedule speaks of none."""
    champion, evidence = seen.policy.status.champion, (*run.spec.evidence, *run.status.evidence)
    if not is_limited(run) or champion is None or champion.since is None or not evidence:
        return False
    return all(item.fingerprint and item.starts_at < champion.since for item in evidence)


def version_of(run: RunSeen) -> str:
    """Return the version a run makes: named at creation by the operator, or after the UID of a run that a person created."""
    return run.spec.version or naming.version_name(run.identity.created, run.identity.uid[:5])


def frozen_now(run: RunSeen, seen: Observation) -> Frozen:
    """Return what a run that leaves Pending now uses of its policy from then on."""
    spec = seen.policy.spec
    return Frozen(
        policy_uid=seen.policy.identity.uid,
        policy_generation=seen.policy.generation,
        model_type=spec.model_type,
        database_secret=spec.monitor.database_secret.name,
        database_key=spec.monitor.database_secret.key,
        artifacts=spec.artifacts,
        champion=seen.champion,
        data_quality=spec.data_quality,
        training=_merged(spec.training, run),
        gate=spec.gate,
        serving=spec.serving,
        rollout=_rollout(spec.rollout, run),
    )


def _rollout(rollout: Rollout, run: RunSeen) -> Rollout:
    """An emergency has one step and is always watched, though the policy may ask for no watch."""
    if run.spec.emergency is None:
        return rollout
    watch = rollout.watch if seconds(rollout.watch.duration) else Watch()
    return rollout.model_copy(update={"step_weights": (run.spec.emergency.max_weight,), "watch": watch})


def _merged(training: Training, run: RunSeen) -> Training:
    override: DataOverride = run.spec.data
    changes = {name: value for name in DataOverride.model_fields if (value := getattr(override, name)) is not None}
    return training.model_copy(
        update={
            "data": training.data.model_copy(update=changes),
            "hyperparameters": {**training.hyperparameters, **run.spec.hyperparameters},
        }
    )


def frozen_of(status: ModelRetrainRunStatus) -> Frozen:
    """Return what the run froze; every phase after Pending has it."""
    assert status.frozen is not None, "a run past Pending has frozen its policy"
    return status.frozen

"""Pending: the run waits for the training slot, then freezes what it uses of the policy."""

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.api.v1alpha1.run_status import Frozen
from retrainer.api.v1alpha1.training import DataOverride, Training
from retrainer.core import naming
from retrainer.core.acceptance import problem
from retrainer.core.holding import held
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Phase, Slot
from retrainer.core.run.step import Step, move, wait


def pending(run: RunSeen, seen: Observation) -> Step:
    """Take the training slot when it is free, the policy is accepted and not held back, and nobody else has been waiting for longer."""
    status, now = run.status, seen.now
    if (halt := held(seen)) is not None:
        return wait(status, now, halt.reason, f"{halt.message}: no new phase starts until {halt.until}")
    if (found := problem(seen)) is not None:
        return wait(status, now, found.reason, found.message)
    if (holder := seen.holder(Slot.TRAINING)) is not None:
        return wait(status, now, "TrainingSlotTaken", f"waits until {holder.name} has left {holder.status.phase}")
    if (first := _first_in_line(seen)) is not run:
        return wait(status, now, "TrainingSlotTaken", f"waits for {first.name}, which was first")
    return move(
        status,
        now,
        Phase.VALIDATING,
        "Validating",
        "the data is looked at before a GPU is asked for",
        version=status.version or version_of(run),
        frozen=_frozen(run, seen),
    )


def version_of(run: RunSeen) -> str:
    """Return the version a run makes: named at creation by the operator, or after the UID of a run that a person created."""
    return run.spec.version or naming.version_name(run.identity.created, run.identity.uid[:5])


def _first_in_line(seen: Observation) -> RunSeen:
    waiting = [run for run in seen.runs if run.status.phase is Phase.PENDING and not run.deleting]
    return min(waiting, key=lambda run: (run.identity.created, run.name))


def _frozen(run: RunSeen, seen: Observation) -> Frozen:
    spec = seen.policy.spec
    return Frozen(
        policy_generation=seen.policy.generation,
        model_type=spec.model_type,
        database_secret=spec.monitor.database_secret.name,
        database_key=spec.monitor.database_secret.key,
        volume_claim=spec.artifacts.persistent_volume_claim,
        champion=seen.champion,
        data_quality=spec.data_quality,
        training=_merged(spec.training, run),
        gate=spec.gate,
        serving=spec.serving,
        rollout=spec.rollout,
    )


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

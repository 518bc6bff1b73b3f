"""`ModelRetrainPolicy.status`: written by the operator only, and only when something in it changes."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, FiniteFloat

from retrainer.api.v1alpha1.baseline import Baselines
from retrainer.api.v1alpha1.command import Commands
from retrainer.api.v1alpha1.common import Conditions, Message, Model, Name, Reason, Time, VersionName
from retrainer.api.v1alpha1.triggers import TriggerName


class VersionStatus(Model):
    """A version in a role."""

    version: VersionName = Field(description="The version's name.")
    digest: Annotated[str, Field(max_length=80)] = Field(default="", description="The sha256 of its manifest.")
    run: Name | None = Field(default=None, description="The run that made it.")
    since: Time | None = Field(default=None, description="Since when it has this role.")
    baseline: Baselines = Field(
        default=(), description="Its own figures over its first samples as champion, one a trigger that compares with them."
    )


class VersionOutcome(StrEnum):
    """What became of a version."""

    UNDER_WAY = "UnderWay"
    SERVES = "Serves"
    SERVED = "Served"
    REJECTED = "Rejected"


class KeptVersion(Model):
    """A version whose artifact is kept; whatever is not listed may be pruned."""

    version: VersionName = Field(description="The version's name.")
    digest: Annotated[str, Field(max_length=80)] = Field(default="", description="The sha256 of its manifest; empty while it is made.")
    run: Name | None = Field(default=None, description="The run that made it.")
    since: Time = Field(description="Since when this is its outcome.")
    outcome: VersionOutcome = Field(description="UnderWay, Serves, Served or Rejected.")


class TrafficStatus(Model):
    """How traffic is shared between champion and candidate."""

    candidate_weight: int = Field(default=0, ge=0, le=100, description="The share asked for the candidate, in percent.")
    effective_weight: int = Field(
        default=0, ge=0, le=100, description="The share that ready pods, or an accepted route, give it, in percent."
    )
    champion_ready: int = Field(default=0, ge=0, description="Ready pods of the champion.")
    candidate_ready: int = Field(default=0, ge=0, description="Ready pods of the candidate.")


class TriggerStatus(Model):
    """One trigger's state as it was at its last transition."""

    name: TriggerName = Field(description="The trigger's name.")
    state: Literal["Armed", "Pending", "Firing", "Refused", "Started", "Unknown"] = Field(
        description="Armed, pending (for less than `for`), firing, refused (see reason), the cause of a run, or unknown for want of data."
    )
    reason: Reason = Field(description="Why nothing, or something, was done.")
    message: Message = Field(default="", description="The same as a sentence.")
    since: Time = Field(description="Since when.")
    last_slot: Time | None = Field(
        default=None, description="The latest slot of a schedule, or episode of a metric, that started a run or was missed."
    )
    episode: Time | None = Field(default=None, description="Since when a metric has been beyond its bound, or a schema changed.")
    value: FiniteFloat | None = Field(default=None, description="The figure at the last transition, in its preset's unit.")
    threshold: FiniteFloat | None = Field(default=None, description="The bound it was held against then.")
    samples: Annotated[FiniteFloat, Field(ge=0)] | None = Field(default=None, description="The samples it was taken from then.")


class HandledAlert(Model):
    """An alert episode whose run has been pruned; it never starts another."""

    fingerprint: Annotated[str, Field(max_length=64)] = Field(description="Alertmanager's fingerprint of the labels.")
    starts_at: Time = Field(description="When the episode began.")


class LastOutcome(Model):
    """How the latest finished run ended."""

    run: Name = Field(description="The run.")
    outcome: Reason = Field(description="Its outcome.")
    reason: Reason = Field(description="Its reason.")
    at: Time = Field(description="When it ended.")


class ModelRetrainPolicyStatus(Model):
    """What the operator knows and last decided."""

    observed_generation: int = Field(default=0, ge=0, description="The generation of the spec this status was concluded from.")
    champion: VersionStatus | None = Field(default=None, description="The version that serves.")
    previous: VersionStatus | None = Field(default=None, description="The champion before, warm while the new one is watched.")
    candidate: VersionStatus | None = Field(default=None, description="The version that is being rolled out.")
    traffic: TrafficStatus | None = Field(default=None, description="How traffic is shared.")
    training_run: Name | None = Field(default=None, description="The run in the training slot (Validating to Gating).")
    serving_run: Name | None = Field(
        default=None, description="The run in the serving slot (AwaitingApproval after the gate, to Watching)."
    )
    last_run_number: int = Field(default=0, ge=0, description="The number of the newest run the operator made.")
    last_trigger: TriggerName | None = Field(default=None, description="What caused the newest run.")
    last_outcome: LastOutcome | None = Field(default=None, description="How the latest finished run ended.")
    score: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="The champion's first gate metric.")
    next_schedule: Time | None = Field(default=None, description="The next slot of any schedule.")
    triggers: Annotated[
        tuple[TriggerStatus, ...],
        Field(
            max_length=32,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(default=(), description="Each trigger's state and reason.")
    versions: Annotated[
        tuple[KeptVersion, ...],
        Field(
            max_length=24,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["version"]},
        ),
    ] = Field(default=(), description="The versions whose artifacts are kept, the latest first: each may be pinned or rolled back to.")
    handled_alerts: Annotated[tuple[HandledAlert, ...], Field(max_length=32)] = Field(
        default=(), description="Alert episodes whose runs have been pruned."
    )
    commands: Commands = Field(default=(), description="The latest pause, resume and rollback, and what came of them.")
    conditions: Conditions = Field(
        default=(),
        description="Ready, Serving, Reconciling, Stalled, DataQuality, CircuitOpen, DriftDetected, MetricsAvailable and AwaitingApproval.",
    )

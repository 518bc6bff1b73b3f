"""`ModelRetrainRun.spec`: one attempt, with the evidence that caused it. Immutable."""

from typing import Annotated

from pydantic import Field, FiniteFloat

from retrainer.api.v1alpha1.command import COMMAND_LIMIT
from retrainer.api.v1alpha1.common import Message, Model, Reason, Time, VersionName, rules
from retrainer.api.v1alpha1.training import DataOverride, Hyperparameters
from retrainer.api.v1alpha1.triggers import Priority, TriggerName, Weight


class PolicyRef(Model):
    """The policy a run belongs to."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", max_length=35)] = Field(
        description="A ModelRetrainPolicy in the same namespace."
    )


class Evidence(Model):
    """What was seen that speaks for a run: an alert's or a metric's episode, a change of schema, or a schedule's slot."""

    trigger: TriggerName = Field(description="The trigger that saw it.")
    fingerprint: Annotated[str, Field(max_length=64)] | None = Field(
        default=None, description="Alertmanager's fingerprint of the alert's labels, or ours of a set of changed columns."
    )
    starts_at: Time = Field(description="When the episode began, or the schedule's slot.")
    message: Message = Field(default="", description="The same as a sentence.")
    value: FiniteFloat | None = Field(default=None, description="A metric's figure, in its preset's unit.")
    threshold: FiniteFloat | None = Field(default=None, description="The bound it was beyond.")
    samples: Annotated[FiniteFloat, Field(ge=0)] | None = Field(default=None, description="The samples it was taken from.")


class Emergency(Model):
    """Why a run cannot wait, and how far its rollout may go in one step."""

    reason: Annotated[str, Field(min_length=1, max_length=512)] = Field(description="Why; an alert's is its labels.")
    max_weight: Weight = Field(default=50, description="The one step of the rollout: the candidate's share of traffic, in percent.")


EvidenceList = Annotated[tuple[Evidence, ...], Field(max_length=32)]


class Redeploy(Model):
    """A kept version shall serve again: no training, no gate, no analysis, but ready pods and the smoke test."""

    asked: Annotated[str, Field(max_length=COMMAND_LIMIT)] = Field(
        default="", description="The value of the rollback command that asked for it; empty where a pin did."
    )


class ModelRetrainRunSpec(Model):
    """What started this run and what it may do differently from the policy."""

    model_config = rules(
        ("self == oldSelf", "a run's spec cannot be changed: create another run"),
        ("!has(self.redeploy) || has(self.version)", "redeploy needs the version that shall serve again"),
    )

    policy_ref: PolicyRef = Field(description="The policy this run belongs to.")
    version: VersionName | None = Field(
        default=None, description="The version this run makes or redeploys; absent in a person's run, which is named by the operator."
    )
    redeploy: Redeploy | None = Field(default=None, description="Train nothing: bring a kept version back into service.")
    trigger: TriggerName = Field(
        default="manual", description="The trigger that started it; `manual` for a person, `initial` for a policy's first."
    )
    reason: Reason = Field(default="Requested", description="Why, in one word.")
    message: Message = Field(default="", description="Why, as a sentence.")
    priority: Priority = Field(
        default=50, description="Of the runs that wait the highest goes first; one that a trigger started gives way to it altogether."
    )
    emergency: Emergency | None = Field(
        default=None,
        description="Goes before every other run, ends a rollout under way, and has one step; data checks, gate, smoke test and watch stay.",
    )
    dry_run: bool = Field(default=False, description="Validate the data and end.")
    policy_generation: int = Field(default=0, ge=0, description="The policy's generation when the operator made the run.")
    hyperparameters: Hyperparameters = Field(default={}, description="Overrides of the policy's hyperparameters.")
    data: DataOverride = Field(default=DataOverride(), description="Overrides of the policy's `training.data`.")
    evidence: EvidenceList = Field(default=(), description="What was seen.")

"""`ModelRetrainRun.status`: where the run is, what it froze, what came out, and its whole timeline."""

from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, FiniteFloat
from pydantic.json_schema import WithJsonSchema

from retrainer.api.v1alpha1.artifacts import Artifacts
from retrainer.api.v1alpha1.baseline import Baselines
from retrainer.api.v1alpha1.command import Commands
from retrainer.api.v1alpha1.common import Message, Model, Reason, Time, VersionName
from retrainer.api.v1alpha1.rollout import Gate, Rollout, Serving
from retrainer.api.v1alpha1.run import EvidenceList
from retrainer.api.v1alpha1.training import DataQuality, Training

Figures = Annotated[dict[Annotated[str, Field(max_length=64)], FiniteFloat], Field(max_length=32)]
"""A figure is finite: NaN is below no floor and above no ceiling, and would pass every gate."""
OPAQUE = WithJsonSchema({"type": "object", "x-kubernetes-preserve-unknown-fields": True})


class Phase(StrEnum):
    """Where a run is. `core/phases.py` holds the transitions and what each event means in each phase."""

    PENDING = "Pending"
    VALIDATING = "Validating"
    QUEUED = "Queued"
    TRAINING = "Training"
    GATING = "Gating"
    AWAITING_APPROVAL = "AwaitingApproval"
    DEPLOYING = "Deploying"
    SMOKE_TESTING = "SmokeTesting"
    CANARY = "Canary"
    PROMOTING = "Promoting"
    WATCHING = "Watching"
    FINISHED = "Finished"


class Outcome(StrEnum):
    """How a finished run ended."""

    SUCCEEDED = "Succeeded"
    DATA_REJECTED = "DataRejected"
    TRAINING_FAILED = "TrainingFailed"
    GATE_REJECTED = "GateRejected"
    ROLLED_BACK = "RolledBack"
    ABORTED = "Aborted"
    SUPERSEDED = "Superseded"
    DRY_RUN_PASSED = "DryRunPassed"


class Frozen(Model):
    """What the run uses of the policy, as it was when the run left Pending; later edits act on the next run."""

    policy_uid: Annotated[str, Field(max_length=64)] = Field(
        default="", description="The policy's UID: one of the same name may follow it."
    )
    policy_generation: int = Field(description="The policy's generation then.")
    model_type: str = Field(description="`spec.modelType`.")
    database_secret: str = Field(description="Name of the database Secret.")
    database_key: str = Field(description="Key in it.")
    artifacts: Artifacts = Field(description="`spec.artifacts`.")
    champion: str | None = Field(default=None, description="The version that served then; what the gate compares with.")
    data_quality: DataQuality = Field(description="`spec.dataQuality`.")
    training: Training = Field(description="`spec.training`, overrides merged in.")
    gate: Gate = Field(description="`spec.gate`.")
    serving: Serving = Field(description="`spec.serving`.")
    rollout: Rollout = Field(description="`spec.rollout`.")


class Metrics(Model):
    """Figures of both sides on the same held-out rows."""

    candidate: Figures = Field(default={}, description="The candidate's.")
    champion: Figures | None = Field(default=None, description="The champion's; absent when it could not be measured.")


class DataSummary(Model):
    """The rows a version was made from."""

    from_: Annotated[str, Field(max_length=32)] = Field(default="", alias="from", description="The oldest training row.")
    to: Annotated[str, Field(max_length=32)] = Field(default="", description="The newest labelled row.")
    holdout_from: Annotated[str, Field(max_length=32)] = Field(default="", description="Where the hold-out begins.")
    train_rows: int = Field(default=0, ge=0, description="Rows before it.")
    holdout_rows: int = Field(default=0, ge=0, description="Rows from it on.")


class Result(Model):
    """What the trainer reported in its termination message."""

    version: VersionName = Field(description="The version made.")
    artifact: Annotated[str, Field(max_length=512)] = Field(default="", description="Where it is.")
    digest: Annotated[str, Field(max_length=80)] = Field(default="", description="The sha256 of its manifest.")
    metrics: Metrics = Field(default=Metrics(), description="Figures of both sides on the same held-out rows.")
    champion_not_comparable: Message = Field(default="", description="Why the champion has no figures.")
    data: DataSummary = Field(default=DataSummary(), description="The rows it was made from.")
    warnings: Annotated[tuple[Message, ...], Field(max_length=16)] = Field(default=(), description="What the trainer wants people to know.")


class Analysis(Model):
    """The judgement of the present step, or of the watch."""

    step: int = Field(default=0, ge=0, description="Index in `stepWeights`.")
    weight: int = Field(default=0, ge=0, le=100, description="The weight asked for the candidate.")
    mirrored: bool = Field(default=False, description="Whether the candidate is judged by copies of requests, before its first weight.")
    since: Time = Field(description="When the step began to be measured: its traffic was in place.")
    passed: int = Field(default=0, ge=0, description="Good analyses at this step.")
    failed: int = Field(default=0, ge=0, description="Failed analyses at this step.")
    inconclusive: int = Field(default=0, ge=0, description="Analyses that could not tell: too few samples, or neither shown nor excluded.")
    no_data: int = Field(default=0, ge=0, description="Analyses without a figure: Prometheus was away, or had none.")
    inconclusive_since: Time | None = Field(default=None, description="Since when no analysis was conclusive.")
    last_at: Time | None = Field(default=None, description="When the latest analysis was made.")
    verdict: Reason | None = Field(default=None, description="What it said.")
    message: Message = Field(default="", description="The figures it was concluded from.")
    dry_run: Message = Field(default="", description="What the metrics with `dryRun` said.")


class Reference(Model):
    """The champion's figure at the latest analysis of a canary, of a preset that is compared."""

    preset: Annotated[str, Field(max_length=32)] = Field(description="The preset.")
    figure: FiniteFloat = Field(description="Of a ratio of counts its hits, else the figure.")
    samples: FiniteFloat = Field(description="Of a ratio of counts its total, else the samples of the figure.")
    is_counted: bool = Field(default=True, description="Whether it is a ratio of counts; a forecaster's accuracy is none.")


class ReturnCheck(Model):
    """Whether the Service was heard to answer with the version that came back."""

    version: VersionName = Field(description="The version that came back.")
    since: Time = Field(description="When the traffic was sent back to it.")
    reason: Reason = Field(default="Pending", description="Pending, Verified, VersionNotNamed, NotVerified or Superseded.")


class TimelineEntry(Model):
    """One thing that happened."""

    at: Time = Field(description="When.")
    phase: Phase = Field(description="The phase from then on.")
    reason: Reason = Field(description="Why.")
    message: Message = Field(default="", description="Why, as a sentence.")


class ModelRetrainRunStatus(Model):
    """Where the run is and how it got there."""

    phase: Phase = Field(default=Phase.PENDING, description="Where the run is.")
    phase_since: Time | None = Field(default=None, description="Since when.")
    reason: Reason = Field(default="New", description="Why it is there, or why it waits.")
    message: Message = Field(default="", description="The same as a sentence that says what to change.")
    version: VersionName | None = Field(default=None, description="The version it makes.")
    outcome: Outcome | None = Field(default=None, description="How it ended.")
    score: Annotated[str, Field(max_length=32)] | None = Field(default=None, description="The candidate's first gate metric.")
    attempt: int = Field(default=1, ge=1, description="Grows when a Job or its result was lost, not when a pod is retried.")
    validations: int = Field(default=1, ge=1, description="How often the data has been looked at.")
    recheck_at: Time | None = Field(default=None, description="When rejected data is looked at again.")
    frozen: Annotated[Frozen, OPAQUE] | None = Field(default=None, description="What the run uses of the policy.")
    template: Annotated[dict[str, Any], OPAQUE] | None = Field(default=None, description="The pod template the candidate is built from.")
    template_generation: int = Field(default=0, ge=0, description="The generation of its Deployment then.")
    result: Result | None = Field(default=None, description="What the trainer reported.")
    analysis: Analysis | None = Field(default=None, description="The judgement of the present step, or of the watch.")
    evidence: EvidenceList = Field(default=(), description="Evidence that arrived while the run waited.")
    reference: Annotated[tuple[Reference, ...], Field(max_length=4)] = Field(
        default=(), description="What the watch compares with: the champion's figures at the last step of the canary."
    )
    baseline: Baselines = Field(
        default=(), description="The version's own figures as champion, for when it is brought back after it has lost its place."
    )
    return_check: ReturnCheck | None = Field(
        default=None, description="After a rollback: whether the Service was heard to answer with the version that came back."
    )
    cured: Literal["True", "False", "Unknown"] | None = Field(
        default=None,
        description="Whether what caused the run is over: False for one that came to nothing, absent where there is nothing to cure.",
    )
    commands: Commands = Field(default=(), description="The latest approve, abort and promote, and what came of them.")
    gated_at: Time | None = Field(default=None, description="When its gate let it through; the cooldown counts from here.")
    promoted_at: Time | None = Field(default=None, description="When its version became champion.")
    completed_at: Time | None = Field(default=None, description="When it ended.")
    timeline: Annotated[tuple[TimelineEntry, ...], Field(max_length=64)] = Field(default=(), description="All that happened, oldest first.")

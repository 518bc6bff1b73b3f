"""`spec.training` and `spec.dataQuality`: how a version is made, and what the data must look like first."""

from typing import Annotated, Literal

from pydantic import Field

from retrainer.api.v1alpha1.common import Duration, Interval, Model, Name, Quantity, Ratio, Scalar, rules

Hyperparameters = Annotated[
    dict[Annotated[str, Field(max_length=64)], Scalar],
    Field(max_length=32),
]
Columns = Annotated[tuple[Annotated[str, Field(max_length=63)], ...], Field(max_length=256)]
Action = Literal["Warn", "Reject"]


class FeatureFilter(Model):
    """Which columns of the training table may become features."""

    allow: Columns = Field(default=("*",), description="Columns that may be features; `*` stands for all.")
    deny: Columns = Field(default=(), description="Columns that are never features, whatever `allow` says.")


class TrainingData(Model):
    """Which rows train, which are held out, and how much old ones count."""

    window: Duration = Field(default="365d", description="How far back training rows reach, from the newest labelled row.")
    holdout: Duration = Field(
        default="30d", description="The newest span of rows with a known outcome; never trained on before the gate's figures are taken."
    )
    label_delay: Duration = Field(
        default="0d", description="How long an outcome takes to be known; younger rows are neither trained on nor held out."
    )
    recency_half_life: Duration = Field(default="90d", description="The age at which a row counts half as much as a new one.")
    refit: bool = Field(
        default=True, description="Whether the shipped weights are refitted on all labelled rows once the gate's figures are taken."
    )
    features: FeatureFilter = Field(default=FeatureFilter(), description="Which columns may become features.")


class DataOverride(Model):
    """A trigger's or a run's own values for some fields of `training.data`."""

    window: Duration | None = Field(default=None, description="Replaces `training.data.window`.")
    holdout: Duration | None = Field(
        default=None, description="Replaces `training.data.holdout`; a drift younger than the hold-out cannot be learnt."
    )
    label_delay: Duration | None = Field(default=None, description="Replaces `training.data.labelDelay`.")
    recency_half_life: Duration | None = Field(default=None, description="Replaces `training.data.recencyHalfLife`.")
    refit: bool | None = Field(default=None, description="Replaces `training.data.refit`.")


class EnvVar(Model):
    """A plain environment variable; values from Secrets are mounted by the kubelet through `monitor.databaseSecret` only."""

    model_config = rules(
        ("!(self.name in ['RETRAIN_REQUEST', 'DATABASE_URL'])", "the operator sets RETRAIN_REQUEST and DATABASE_URL itself: remove it")
    )

    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] = Field(description="The variable's name.")
    value: Annotated[str, Field(max_length=1024)] = Field(default="", description="Its value.")


class Toleration(Model):
    """A toleration of the training pod, as in core/v1."""

    key: Annotated[str, Field(max_length=256)] | None = Field(default=None, description="The taint's key; empty matches all.")
    operator: Literal["Exists", "Equal"] = Field(default="Equal", description="How `value` is compared.")
    value: Annotated[str, Field(max_length=256)] | None = Field(default=None, description="The taint's value.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect; empty matches all."
    )


ResourceList = Annotated[dict[Annotated[str, Field(max_length=128)], Quantity], Field(max_length=16)]


class Resources(Model):
    """Resource requests and limits of the training container."""

    requests: ResourceList = Field(default={}, description="What the scheduler sets aside.")
    limits: ResourceList = Field(default={}, description="What the container may use; a GPU is asked for here, e.g. `nvidia.com/gpu: 1`.")


class Training(Model):
    """How a version is trained: the image, its data and hyperparameters, and the pod it runs in."""

    image: Annotated[str, Field(max_length=512)] | None = Field(
        default=None, description="An image that keeps the trainer contract; the chart's `trainerImage` when absent."
    )
    command: Annotated[tuple[Annotated[str, Field(max_length=1024)], ...], Field(max_length=32)] = Field(
        default=(), description="Replaces the image's entry point; the action is read from `RETRAIN_REQUEST` all the same."
    )
    data: TrainingData = Field(default=TrainingData(), description="Which rows train and which are held out.")
    hyperparameters: Hyperparameters = Field(
        default={"epochs": 150, "batchSize": 64, "dropout": 0.3, "l2": 0.01, "earlyStoppingPatience": 5},
        description="Passed to the trainer as they are; a trigger or a run may override single ones.",
    )
    resources: Resources = Field(default=Resources(), description="Requests and limits of the training container.")
    node_selector: Annotated[dict[Annotated[str, Field(max_length=128)], Annotated[str, Field(max_length=128)]], Field(max_length=16)] = (
        Field(default={}, description="Node labels the training pod asks for.")
    )
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=16)] = Field(
        default=(), description="Taints the training pod tolerates."
    )
    runtime_class_name: Name | None = Field(default=None, description="The RuntimeClass of the training pod, e.g. `nvidia`.")
    priority_class_name: Name | None = Field(default=None, description="The PriorityClass of the training pod.")
    service_account_name: Name | None = Field(
        default=None, description="The ServiceAccount of the training pod, whose token is not mounted; the namespace's default when absent."
    )
    image_pull_secrets: Annotated[tuple[Name, ...], Field(max_length=8)] = Field(
        default=(), description="Names of image pull Secrets in the policy's namespace."
    )
    env: Annotated[tuple[EnvVar, ...], Field(max_length=64)] = Field(
        default=(),
        description="Plain environment variables; the guide's `MODEL_EPOCHS`, `MODEL_BATCH_SIZE`, `DRY_RUN` and `DEBUG` win over the request.",
    )
    active_deadline: Duration = Field(
        default="4h", description="How long one attempt may run, from its pod's start; waiting for a node does not count."
    )
    backoff_limit: int = Field(default=2, ge=0, le=20, description="How often a failed pod is tried again; disruptions cost no retry.")
    retention: Duration = Field(default="24h", description="How long a finished Job is kept once its result is on record.")


class MaxMissing(Model):
    """The share of missing values a feature may have."""

    ratio: Ratio = Field(default=0.1, description="The largest accepted share of missing values in any feature, 0 to 1.")
    action: Action = Field(default="Warn", description="Warn: say so and impute. Reject: do not train.")


class Outlier(Model):
    """The range outside of which a column's value is an outlier."""

    model_config = rules(("has(self.min) || has(self.max)", "set min, max or both: an outlier check needs a bound"))

    column: Annotated[str, Field(pattern=r"^[a-z_][a-z0-9_]{0,62}$")] = Field(description="The column of the training table.")
    min: float | None = Field(default=None, description="Values below are outliers.")
    max: float | None = Field(default=None, description="Values above are outliers.")
    action: Action = Field(default="Warn", description="Warn: say so and train. Reject: do not train.")


class DataQuality(Model):
    """What the training data must look like before a GPU is asked for."""

    min_rows: int = Field(default=100, ge=1, description="The fewest entities (members) to train on.")
    min_days: int = Field(default=90, ge=0, description="The fewest days the data must span.")
    max_missing: MaxMissing = Field(default=MaxMissing(), description="How many missing values are accepted.")
    outliers: Annotated[tuple[Outlier, ...], Field(max_length=64)] = Field(default=(), description="Ranges of columns.")
    recheck: Interval = Field(
        default="1h", description="How often rejected data is looked at again; the run goes on by itself once it passes."
    )

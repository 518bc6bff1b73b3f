"""`ModelRetrainPolicy.spec`: when to retrain, how to train, what is good enough, how to roll out."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from retrainer.api.v1alpha1.artifacts import Artifacts
from retrainer.api.v1alpha1.common import Model, Name, rules
from retrainer.api.v1alpha1.notification import Notification
from retrainer.api.v1alpha1.report import Report
from retrainer.api.v1alpha1.rollout import Gate, Rollout, Serving
from retrainer.api.v1alpha1.training import DataQuality, Training
from retrainer.api.v1alpha1.triggers import Trigger, TriggerPolicy


class SecretKey(Model):
    """One key of a Secret in the policy's namespace; the operator never reads it, the kubelet mounts it."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$", max_length=253)] = Field(description="The Secret's name.")
    key: Annotated[str, Field(pattern=r"^[-._a-zA-Z0-9]+$", max_length=253)] = Field(
        default="url", description="The key that holds a libpq URL."
    )

    model_config = ConfigDict(frozen=True)


class Monitor(Model):
    """The database that holds training data, predictions and outcomes."""

    database_secret: SecretKey = Field(description="Mounted into the monitor and the training Jobs as `DATABASE_URL`.")


class ModelRetrainPolicySpec(Model):
    """What the user wants."""

    model_config = rules(
        (
            "!self.rollout.mirror || (has(self.serving.traffic) && has(self.serving.traffic.gatewayAPI))",
            "rollout.mirror needs serving.traffic.gatewayAPI: a Service cannot copy requests",
        ),
    )

    model_type: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")] = Field(
        description="The model this policy looks after, unique in the namespace; the label `model_type` of metrics and rows."
    )
    suspend: bool = Field(default=False, description="Start no new phase; analysis and rollback of a rollout under way go on.")
    dry_run: bool = Field(default=False, description="Evaluate and report every trigger, act on none; a person's run goes on.")
    metrics_source: Name = Field(default="default", description="The Prometheus to ask, by the name the administrator gave it.")
    monitor: Monitor = Field(description="The database of the platform.")
    artifacts: Artifacts = Field(description="Where versions are kept.")
    version_history_limit: int = Field(
        default=5,
        ge=0,
        le=16,
        description="Versions that once served and are kept, besides the champion, the previous one, candidates, the pinned and an adopted one; of those that never served the last is kept.",
    )
    run_history_limit: int = Field(
        default=10,
        ge=1,
        le=100,
        description="Finished runs made by the operator that are kept, beside those that `triggerPolicy` still counts and those that hold the baseline of a kept version; a person's run is never deleted.",
    )
    triggers: Annotated[
        tuple[Trigger, ...],
        Field(
            max_length=32,
            json_schema_extra={
                "x-kubernetes-list-type": "map",
                "x-kubernetes-list-map-keys": ["name"],
                "x-kubernetes-validations": [
                    {
                        "rule": "self.filter(t, has(t.metric) && (has(t.metric.maxDrop) || has(t.metric.maxRise))).size() <= 8",
                        "message": "at most 8 triggers compare with the champion's baseline: give the others min or max",
                    }
                ],
            },
        ),
    ] = Field(default=(), description="The reasons to start a run; a person may always start one.")
    trigger_policy: TriggerPolicy = Field(default=TriggerPolicy(), description="How often triggers may start runs.")
    data_quality: DataQuality = Field(default=DataQuality(), description="What the data must look like before a GPU is asked for.")
    training: Training = Field(default=Training(), description="How a version is trained.")
    gate: Gate = Field(description="What is good enough.")
    serving: Serving = Field(description="Where versions serve.")
    rollout: Rollout = Field(description="How traffic is shifted to a candidate.")
    notifications: Annotated[
        tuple[Notification, ...],
        Field(max_length=8, json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["notifier"]}),
    ] = Field(default=(), description="Who is told of each transition, beside the Events.")
    deletion_policy: Literal["Retain", "HandBack"] = Field(
        default="Retain",
        description="What becomes of the Service with the policy. Retain: the champion serves on. HandBack: the selector found at the adoption is restored.",
    )
    report: Report | None = Field(
        default=None,
        description="A page about all models of the database, kept beside this policy's versions under `reports/`, and a digest in the Job's log.",
    )

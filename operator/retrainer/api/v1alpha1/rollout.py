"""`spec.gate`, `spec.serving` and `spec.rollout`: what is good enough, where it serves, and how traffic gets there."""

from typing import Annotated, Literal

from pydantic import Field

from retrainer.api.v1alpha1.common import Duration, Interval, Model, Name, rules
from retrainer.api.v1alpha1.rollout_metric import RolloutMetric
from retrainer.api.v1alpha1.traffic import ByGateway, Traffic

MetricName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]

_RATIO_IN_BOUNDS = (
    "!(self.name in ['accuracy', 'auc', 'ece', 'precision', 'recall', 'f1', 'coverage']) || "
    "((!has(self.min) || (self.min >= 0.0 && self.min <= 1.0)) && (!has(self.max) || (self.max >= 0.0 && self.max <= 1.0)))"
)


class GateMetric(Model):
    """A bound on a figure the trainer reports, and how much worse than the champion's it may be."""

    model_config = rules(
        (
            "has(self.min) != has(self.max)",
            "set min for a figure that is better when higher, or max for one that is better when lower: one of the two, beside maxRegression too",
        ),
        (
            _RATIO_IN_BOUNDS,
            "this metric is a ratio between 0 and 1: 85 % is 0.85",
        ),
    )

    name: MetricName = Field(description="The figure's name in the trainer's result, e.g. `accuracy` or `latency_p95_ms`.")
    min: float | None = Field(default=None, description="The floor, for a figure that is better when higher.")
    max: float | None = Field(default=None, description="The ceiling, for a figure that is better when lower.")
    max_regression: Annotated[float, Field(ge=0)] | None = Field(
        default=None, description="How much worse than the champion's on the same rows the candidate's figure may be, in the figure's unit."
    )


class Gate(Model):
    """The offline comparison of candidate and champion on the same held-out rows, before any traffic."""

    metrics: Annotated[
        tuple[GateMetric, ...],
        Field(
            min_length=1,
            max_length=16,
            json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
        ),
    ] = Field(description="The figures that decide; the first is the score shown in the columns.")
    min_improvement: Annotated[float, Field(ge=0)] = Field(
        default=0.02, description="How much better than the champion a candidate must be to be offered for approval when both miss a floor."
    )
    on_failure: Literal["Reject", "RequireApproval"] = Field(default="Reject", description="What a candidate that misses gets.")


class DeploymentRef(Model):
    """The Deployment whose pod template every version's pods are built from."""

    name: Annotated[Name, Field(max_length=40)] = Field(description="A Deployment in the policy's namespace; the operator never writes it.")


class ModelEnv(Model):
    """The environment variable that tells a server which version it serves."""

    container: Name = Field(default="server", description="The container in the pod template.")
    name: Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=64)] = Field(
        default="MODEL_VERSION", description="The variable's name."
    )


class ServicePorts(Model):
    """The Service that clients call."""

    name: Annotated[Name, Field(max_length=40)] = Field(description="Made by the operator, or held in Git without a selector.")
    port: int = Field(default=80, ge=1, le=65535, description="The Service's port.")
    target_port: int = Field(default=8080, ge=1, le=65535, description="The container's port.")


class Serving(Model):
    """Where versions serve."""

    model_config = rules(
        (
            "self.capacity == 'Both' || self.replicas > 1",
            "capacity Replace needs at least 2 replicas: one pod gives way while another serves",
        ),
        (
            "self.capacity == 'Both' || !has(self.traffic) || has(self.traffic.replicas)",
            "capacity Replace needs traffic.replicas: what a version has to answer then grows with its pods",
        ),
    )

    deployment_ref: DeploymentRef = Field(description="The Deployment that holds the pod template.")
    replicas: int = Field(default=3, ge=1, le=200, description="Pods of the version that serves.")
    capacity: Literal["Both", "Replace"] = Field(
        default="Both",
        description="Both: candidate and champion at full size at once. Replace: the champion gives a pod for each one the candidate takes.",
    )
    service: ServicePorts = Field(description="The Service that clients call.")
    model_env: ModelEnv = Field(default=ModelEnv(), description="How a pod is told its version.")
    pinned_version: Annotated[str, Field(pattern=r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?)?$", max_length=32)] = Field(
        default="",
        description="The kept version that serves whatever anybody or anything else asks for; taking it away lets rollouts go on.",
    )
    # No default in the schema: a member that the API server filled in would stand beside the one that is applied later.
    traffic: Traffic | None = Field(
        default=None, description="How versions get their shares of the requests (docs/traffic.md); by replicas when absent."
    )

    @property
    def gateway(self) -> ByGateway | None:
        """What the gateway mode is asked to do; None in replica mode."""
        return self.traffic.gateway_api if self.traffic is not None else None


class Inconclusive(Model):
    """What happens when the evidence stays too thin to judge."""

    deadline: Duration = Field(default="72h", description="How long a step may stay without a conclusive analysis.")
    on_deadline: Literal["Rollback", "Hold"] = Field(
        default="Rollback",
        description="Rollback: put the champion back. Hold: keep the weight (InconclusiveDeadlineExceeded) for a person.",
    )


class SmokeTest(Model):
    """One request to the candidate's pod before its first real one; any 2xx passes."""

    path: Annotated[str, Field(pattern=r"^/\S*$", max_length=256)] = Field(description="The path asked for.")
    body: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="A JSON body: POST when set, GET otherwise.")
    # Nothing else is decided for the policy meanwhile, an abort included.
    timeout: Annotated[str, Field(pattern=r"^([1-9]|[12][0-9]|30)s$", max_length=3)] = Field(
        default="5s", description="How long the answer may take, 1s to 30s."
    )


class Approval(Model):
    """Whether a person must approve a candidate that its analysis let through, before it gets all traffic."""

    required: Literal["Never", "Always", "OnEmergency"] = Field(default="Never", description="Whose promotion waits for an approval.")
    timeout: Duration = Field(
        default="24h", description="How long a run waits for one, here and after a gate that asks; then it ends as ApprovalTimedOut."
    )


class Watch(Model):
    """How long the old champion stays warm after a promotion."""

    duration: Duration = Field(
        default="24h", description="How long the absolute metrics go on judging the new champion; 0s skips the watch."
    )


class Rollout(Model):
    """How traffic is shifted to a candidate, and on what evidence."""

    model_config = rules(
        ("self.metrics.exists(one, !one.dryRun)", "every metric is a dryRun: at least one must judge with effect"),
        (
            "!self.mirror || self.metrics.exists(m, has(m.preset) && m.preset in ['ErrorRate', 'Latency'] && has(m.max) && !m.dryRun)",
            "rollout.mirror judges answers that nobody waits for: add a metric ErrorRate or Latency with max",
        ),
    )

    step_weights: Annotated[tuple[Annotated[int, Field(ge=1, le=99)], ...], Field(max_length=10)] = Field(
        default=(10, 50), description="The candidate's share of traffic at each step, in percent; none is blue/green."
    )
    mirror: bool = Field(
        default=False,
        description="Shadow first (gatewayAPI only): the candidate gets a copy of every request and is judged by its errors and latency "
        "before the first weight.",
    )
    interval: Interval = Field(default="1m", description="The time between analyses, 1s at least.")
    iterations: int = Field(default=5, ge=1, le=100, description="Good analyses needed at each step.")
    failure_limit: int = Field(default=0, ge=0, le=100, description="Failed analyses tolerated at each step; the next one rolls back.")
    min_samples: int = Field(
        default=100, ge=1, description="The fewest samples of the candidate (outcomes, where the metric needs outcomes) an analysis needs."
    )
    inconclusive: Inconclusive = Field(default=Inconclusive(), description="What happens when the evidence stays too thin.")
    smoke_test: SmokeTest | None = Field(default=None, description="One request to a candidate's pod before its first real one.")
    metrics: Annotated[tuple[RolloutMetric, ...], Field(min_length=1, max_length=16)] = Field(
        description="The live figures that judge a candidate; at least one."
    )
    approval: Approval = Field(default=Approval(), description="Who lets a candidate be promoted, beside its analysis.")
    watch: Watch = Field(default=Watch(), description="How long the old champion stays warm.")

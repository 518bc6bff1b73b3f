"""`spec.triggers` and `spec.triggerPolicy`: the reasons to start a run, and how often one may."""

from typing import Annotated, Final

from pydantic import Field

from retrainer.api.v1alpha1.common import Duration, LabelMap, Model, Ratio, rules
from retrainer.api.v1alpha1.metric_trigger import MetricTrigger
from retrainer.api.v1alpha1.training import DataOverride, Hyperparameters

Weight = Annotated[int, Field(ge=1, le=99)]
Priority = Annotated[int, Field(ge=0, le=100)]
TriggerName = Annotated[str, Field(pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$", max_length=40)]


Cron = Annotated[str, Field(pattern=r"^(\S+\s+){4}\S+$", max_length=128)]
TimeZone = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_+/-]*$", max_length=64)]
_CRON: Final = "Five cron fields: minute, hour, day of month, month, day of week."
_TIME_ZONE: Final = "An IANA time zone; daylight saving is followed."


class Schedule(Model):
    """A cron schedule; at most the latest missed slot is made up for, once, and only inside `startingDeadline`."""

    cron: Cron = Field(description=_CRON)
    time_zone: TimeZone = Field(default="Etc/UTC", description=_TIME_ZONE)
    jitter: Duration = Field(
        default="5m",
        description="Slots are put off by up to so long, and at most half of `startingDeadline`: by the same time for a policy always, by another for every policy.",
    )
    starting_deadline: Duration = Field(default="1h", description="How late a slot may still start; an older one is missed.")


class Alert(Model):
    """Alerts that Alertmanager posts to the operator's webhook."""

    match_labels: LabelMap = Field(
        description="Labels an alert must carry, all of them; its label `namespace` must be the policy's besides.", min_length=1
    )
    stale_after: Duration = Field(default="8h", description="An alert that is not repeated for so long no longer fires.")


class AlertEmergency(Model):
    """An alert that cannot wait."""

    max_weight: Weight = Field(description="The one step of the rollout: the candidate's share of traffic, in percent.")


class SchemaTrigger(Model):
    """A new, missing or retyped column in the training table, against the schema the champion was trained on; it has no fields yet."""


class Trigger(Model):
    """A named reason to start a run."""

    model_config = rules(
        (
            "[has(self.schedule), has(self.alert), has(self.metric), has(self.schema)].filter(x, x).size() == 1",
            "a trigger has exactly one of schedule, metric, schema, alert: split it into two triggers with names of their own",
        ),
        ("!has(self.emergency) || has(self.alert)", "only an alert can be an emergency: its labels are the reason that a run needs"),
    )

    name: TriggerName = Field(description="The trigger's name, unique in the policy; runs, events and metrics carry it.")
    priority: Priority = Field(default=50, description="A run that waits gives way to one of a higher priority.")
    schedule: Schedule | None = Field(default=None, description="Starts a run at certain times.")
    metric: MetricTrigger | None = Field(
        default=None, description="Starts a run when a live figure of the champion passes its bound; one such episode starts one run."
    )
    schema_: SchemaTrigger | None = Field(
        default=None,
        alias="schema",
        description="Starts a run when columns of the training table change against the champion's; one set of changes starts one run.",
    )
    alert: Alert | None = Field(default=None, description="Starts a run when Alertmanager says so; one episode of an alert starts one run.")
    emergency: AlertEmergency | None = Field(
        default=None,
        description="Its alerts outrank every priority and skip cooldown, freeze windows and the day's limit; data checks, gate, smoke test and watch stay.",
    )
    hyperparameters: Hyperparameters = Field(
        default={}, description="Overrides of `training.hyperparameters` for runs this trigger starts."
    )
    data: DataOverride = Field(default=DataOverride(), description="Overrides of `training.data` for runs this trigger starts.")


class FreezeWindow(Model):
    """A time in which no run starts and no candidate is deployed, emergencies aside; what is being rolled out goes on."""

    cron: Cron = Field(description=f"When it opens. {_CRON}")
    duration: Duration = Field(description="How long it stays open.")
    time_zone: TimeZone = Field(default="Etc/UTC", description=_TIME_ZONE)


class TriggerPolicy(Model):
    """How often triggers may start runs, all together."""

    cooldown: Duration = Field(
        default="6h", description="The least time between the end of the last training or rollback and the next run a trigger starts."
    )
    max_uncured_runs: int = Field(
        default=2,
        ge=1,
        le=10,
        description="So many runs of triggers in a row that cured nothing open the circuit breaker: no run starts until a person resumes the policy.",
    )
    freeze_windows: Annotated[tuple[FreezeWindow, ...], Field(max_length=16)] = Field(
        default=(), description="When nothing starts and nothing is deployed."
    )
    max_runs_per_day: int = Field(default=4, ge=1, le=24, description="The most runs that triggers start within any 24 hours.")
    reset_margin: Ratio = Field(
        default=0.1,
        description="How far back inside its bound a figure must come before its metric trigger is armed again, as a fraction of the bound.",
    )

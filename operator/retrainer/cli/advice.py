"""What a policy may say though it is hardly meant: one function a piece of advice, each with what to change."""

from collections.abc import Callable, Iterator
from typing import Final

from retrainer.adapters.clock import SystemClock
from retrainer.api.v1alpha1 import ModelRetrainPolicySpec, seconds
from retrainer.core.cron import ScheduleError, slots

Advice = Iterator[tuple[str, str]]
"""Places in the policy and sentences."""


def advice(spec: ModelRetrainPolicySpec) -> Advice:
    """Yield every piece of advice on a policy that the API server accepts."""
    for check in CHECKS:
        yield from check(spec)


def schedules_that_never_fire(spec: ModelRetrainPolicySpec) -> Advice:
    """The API server knows neither time zones nor the 31st of February."""
    for trigger in spec.triggers:
        if trigger.schedule is not None:
            try:
                slots(trigger.schedule.cron, trigger.schedule.time_zone, SystemClock().now())
            except ScheduleError as error:
                yield f"spec.triggers[{trigger.name}].schedule", f"{error}: this trigger will never fire"


def no_cooldown(spec: ModelRetrainPolicySpec) -> Advice:
    """A drift that training cannot cure asks for a GPU again and again."""
    if spec.triggers and seconds(spec.trigger_policy.cooldown) == 0:
        yield "spec.triggerPolicy.cooldown", "is 0: what training cannot cure asks for a GPU again and again; 6h is the default"


def a_holdout_that_leaves_little(spec: ModelRetrainPolicySpec) -> Advice:
    """Rows are held out from the window."""
    data = spec.training.data
    if seconds(data.holdout) * 2 > seconds(data.window):
        yield "spec.training.data", f"holdout {data.holdout} is more than half of window {data.window}: little is left to train on"


def a_gate_that_lets_worse_through(spec: ModelRetrainPolicySpec) -> Advice:
    """Floors alone never compare with what serves."""
    if all(metric.max_regression is None for metric in spec.gate.metrics):
        yield "spec.gate.metrics", "no metric has maxRegression: a candidate worse than what serves passes as long as it meets the floors"


def a_rollout_without_a_smoke_test(spec: ModelRetrainPolicySpec) -> Advice:
    """The first request a candidate sees is then a client's."""
    if spec.rollout.smoke_test is None:
        yield "spec.rollout.smokeTest", "is absent: the first request that a candidate answers is a client's"


def a_promotion_nobody_watches(spec: ModelRetrainPolicySpec) -> Advice:
    """The way back needs a watch: after it the old pods go."""
    if seconds(spec.rollout.watch.duration) == 0:
        yield "spec.rollout.watch.duration", "is 0: after a promotion nothing comes back by itself"
    elif all(metric.min is None and metric.max is None for metric in spec.rollout.metrics):
        yield "spec.rollout.metrics", "no metric has min or max: the watch after a promotion has nothing to judge by"


CHECKS: Final[tuple[Callable[[ModelRetrainPolicySpec], Advice], ...]] = (
    schedules_that_never_fire,
    no_cooldown,
    a_holdout_that_leaves_little,
    a_gate_that_lets_worse_through,
    a_rollout_without_a_smoke_test,
    a_promotion_nobody_watches,
)

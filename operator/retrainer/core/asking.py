"""What a policy's metric and schema triggers ask Prometheus, and what the answers make of each."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from retrainer.api.v1alpha1.triggers import Trigger
from retrainer.core.drift import baseline_of
from retrainer.core.fleet import FleetAnswer, Model, measured, schema_questions, schema_seen, single
from retrainer.core.measurement import Question
from retrainer.core.observation import PolicySeen
from retrainer.core.presets import fleet_questions
from retrainer.core.triggers import metric, schema
from retrainer.core.triggers.evaluation import NO_VERSION, QUERY_NOT_ALLOWED, Evaluation, Memory
from retrainer.core.triggers.metric import Rule, rule_of


@dataclass(frozen=True, slots=True)
class Asking:
    """A metric or schema trigger, and the questions whose answers decide it: none where the administrator allows none."""

    trigger: str
    rule: Rule | None
    """None for a schema."""
    questions: tuple[Question, ...]

    @property
    def asks_a_query(self) -> bool:
        """Whether it asks a query of its policy's own, which no other policy shares but by chance."""
        return self.rule is not None and self.rule.preset is None and bool(self.questions)

    def narrowed(self, only: str) -> tuple[Question, ...]:
        """Return the questions as they are about those models alone that `only` selects; a query of the policy's own stays what it is."""
        if not self.questions or self.asks_a_query:
            return self.questions
        source = self.questions[0].source
        if self.rule is None or self.rule.preset is None:
            return schema_questions(source, only)
        return fleet_questions(self.rule.preset, source, self.rule.window_s, only)


def asked_by(policy: PolicySeen, *, allows_queries: bool, only: str = "") -> tuple[Asking, ...]:
    """Return what a policy's triggers ask, one entry a metric or schema trigger.

    Presets and schemas are asked about all models, which costs one question for all policies, unless `only` selects some.
    """
    triggers = (trigger for trigger in policy.spec.triggers if trigger.metric is not None or trigger.schema_ is not None)
    return tuple(_asking(trigger, policy, only, allows_queries=allows_queries) for trigger in triggers)


def evaluated(
    one: Asking, policy: PolicySeen, answers: Mapping[Question, FleetAnswer], before: Evaluation | None, now: datetime
) -> Evaluation:
    """Return what the answers make of one trigger; `before` is what it came to last, None the first time after a start."""
    champion = policy.status.champion
    if champion is None:
        return Evaluation(NO_VERSION, "no version serves yet")
    before = before or _remembered(one, policy)
    if not one.questions:
        told = f"metrics source {policy.spec.metrics_source} takes no queries: use a preset, or ask the administrator for allowQueries"
        return Evaluation(QUERY_NOT_ALLOWED, f"{told} (chart value metricsSources)", Memory(champion.version))
    given = [answers[question] for question in one.questions]
    model = Model(policy.identity.namespace, policy.spec.model_type, champion.version)
    if one.rule is None:
        return schema.evaluate(schema_seen(model, *given), champion.version, before, now)
    preset = one.rule.preset
    figure = single(given[0].answer) if preset is None else measured(preset, model, *given)
    return metric.evaluate(one.rule, figure, champion.version, baseline_of(champion, one.rule), before, now)


def _asking(trigger: Trigger, policy: PolicySeen, only: str, *, allows_queries: bool) -> Asking:
    source = policy.spec.metrics_source
    if trigger.metric is None:
        return Asking(trigger.name, None, schema_questions(source, only))
    rule = rule_of(trigger, policy.spec.trigger_policy.reset_margin)
    if rule.preset is not None:
        return Asking(trigger.name, rule, fleet_questions(rule.preset, source, rule.window_s, only))
    return Asking(trigger.name, rule, (Question(source, trigger.metric.query or ""),) if allows_queries else ())


def _remembered(one: Asking, policy: PolicySeen) -> Evaluation | None:
    """Return what the policy's status still knows of the trigger's episode after a restart."""
    champion = policy.status.champion
    status = next((status for status in policy.status.triggers if status.name == one.trigger), None)
    if status is None or champion is None:
        return None
    return metric.remembered(status, champion, one.rule, baseline_of(champion, one.rule) if one.rule is not None else None)

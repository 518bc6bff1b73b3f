"""Whether a run cured what caused it."""

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.triggers import alert, metric

_CAME_TO_NOTHING = frozenset({Outcome.TRAINING_FAILED, Outcome.DATA_REJECTED, Outcome.GATE_REJECTED, Outcome.ROLLED_BACK})
_WATCHED_TO_THE_END = frozenset({"Watched", "Unobserved"})


def with_cure(run: RunSeen, status: ModelRetrainRunStatus, seen: Observation) -> ModelRetrainRunStatus:
    """Return the status of a run that ends in this round with what is known of its cause by then; any other as it is."""
    if not run.live or status.phase is not Phase.FINISHED:
        return status
    cured = _cured(run, status, seen)
    return status.model_copy(update={"cured": cured}) if cured is not None else status


def _cured(run: RunSeen, status: ModelRetrainRunStatus, seen: Observation) -> str | None:
    if status.outcome in _CAME_TO_NOTHING:
        return "False"
    if status.outcome is not Outcome.SUCCEEDED:
        return None
    triggers = {trigger.name: trigger for trigger in seen.policy.spec.triggers}
    causes = [(item, triggers[item.trigger]) for item in (*run.spec.evidence, *status.evidence) if item.trigger in triggers]
    answers = [alert.is_over(item, trigger, seen) for item, trigger in causes if trigger.alert]
    answers += [metric.is_over(item, trigger, status.version or "", seen) for item, trigger in causes if trigger.metric]
    if not answers:
        return None  # a schedule, a new column, a person: nothing was wrong
    if status.reason not in _WATCHED_TO_THE_END:
        return "Unknown"
    return "False" if False in answers else "Unknown" if None in answers else "True"

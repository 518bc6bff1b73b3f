"""The share of requests that a candidate really answered, as the servers count them: neither what was asked nor what pods make of it."""

from datetime import datetime

from retrainer.api.v1alpha1.run_status import Analysis, Phase
from retrainer.core.measurement import NoData, Question
from retrainer.core.observation import Observation, PolicySeen, RunSeen
from retrainer.core.presets import PRESETS, questions, window_of


def share_question(policy: PolicySeen, run: RunSeen, analysis: Analysis, now: datetime) -> Question | None:
    """Return what tells how many requests each version answered since the step began; None where the candidate answers no client."""
    if run.status.phase is not Phase.CANARY or not analysis.weight:
        return None
    spec, window = policy.spec, window_of(analysis.since, now)
    # The total of the error rate: a policy that has that metric asks nothing more.
    _, requests = questions(PRESETS["ErrorRate"], spec.metrics_source, policy.identity.namespace, spec.model_type, window)
    return requests


def observed_share(seen: Observation) -> float | None:
    """Return the candidate's share of the requests since the step began, 0 to 1; None where this round has not asked, or nobody called."""
    run = seen.rollout
    if run is None or run.status.analysis is None:
        return None
    asked = share_question(seen.policy, run, run.status.analysis, seen.now)
    answer = seen.answers.get(asked) if asked is not None else None
    if answer is None or isinstance(answer, NoData):
        return None
    requests = {series.labels.get("model_version"): series.value for series in answer.series}
    every = sum(requests.values())
    return requests.get(run.status.version, 0.0) / every if every > 0 else None

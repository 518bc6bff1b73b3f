"""The analysis of a candidate whose weight stays: while it waits for its next pods or its approval, or its promotion is held back."""

from dataclasses import replace

from retrainer.core.judging import counted, due_at, judged
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.rollback import roll_back
from retrainer.core.run.step import Step, hold


def analysed_at_rest(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a candidate that fails meanwhile, or one more verdict on record; None between two analyses."""
    status, now, rollout = run.status, seen.now, frozen_of(run.status).rollout
    if status.analysis is None or now < due_at(status.analysis, rollout):
        return None
    found = judged(run, seen, status.analysis)
    if found is None:
        return hold(status, after=0)  # the questions of this analysis have not been asked yet
    analysis = counted(status.analysis, found, now)
    if analysis.failed > rollout.failure_limit:
        failed = replace(run, status=status.model_copy(update={"analysis": analysis}))
        return roll_back(failed, seen, "AnalysisFailed", found.judgement.message)
    return hold(status, after=0, analysis=analysis, reference=found.reference or status.reference)

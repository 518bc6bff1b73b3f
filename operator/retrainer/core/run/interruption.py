"""What people ask of a run under way: to abort it, by annotation or by deleting it. The table in `core/phases.py` says what that means."""

from retrainer.core.actions import DeleteJob
from retrainer.core.commands import is_interrupted
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Event, Outcome, Reaction, reaction
from retrainer.core.run.rollback import roll_back
from retrainer.core.run.step import Step, end


def interrupted(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a run that somebody aborts, or None."""
    if not is_interrupted(run):
        return None
    told = "the run was deleted" if run.deleting else f"aborted by annotation in {run.status.phase}"
    return taken_out(run, seen, "Aborted", told, Outcome.ABORTED)


def taken_out(run: RunSeen, seen: Observation, reason: str, message: str, outcome: Outcome) -> Step:
    """Return the end of a run that is ended early and leaves nothing behind."""
    match reaction(Event.ABORTED, run.status.phase):
        case Reaction.DELETES_JOB:
            jobs = [DeleteJob(job.identity) for job in seen.jobs.values() if job.run == run.name and job.active]
            return end(run.status, seen.now, outcome, reason, message, *jobs)
        case Reaction.RETURNS_TRAFFIC:
            return roll_back(run, seen, reason, message, outcome)
        case _:
            return end(run.status, seen.now, outcome, reason, message)

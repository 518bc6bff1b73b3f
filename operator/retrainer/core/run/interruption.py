"""What people ask of a run under way: to abort it, by annotation or by deleting it. The table in `core/phases.py` says what that means."""

from retrainer.core.actions import DeleteJob, Effect
from retrainer.core.commands import is_interrupted
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Event, Outcome, Reaction, reaction
from retrainer.core.run.rollback import way_back
from retrainer.core.run.step import Step, end


def interrupted(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a run that somebody aborts, or None."""
    if not is_interrupted(run):
        return None
    told = "the run was deleted" if run.deleting else f"aborted by annotation in {run.status.phase}"
    return end(run.status, seen.now, Outcome.ABORTED, "Aborted", told, *way_out(run, seen))


def way_out(run: RunSeen, seen: Observation) -> tuple[Effect, ...]:
    """Return the effects by which a run that is ended early leaves nothing behind."""
    match reaction(Event.ABORTED, run.status.phase):
        case Reaction.DELETES_JOB:
            return tuple(DeleteJob(job.identity) for job in seen.jobs.values() if job.run == run.name and job.active)
        case Reaction.RETURNS_TRAFFIC:
            return way_back(seen, run.status.version)
        case _:
            return ()

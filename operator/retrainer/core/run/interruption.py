"""What ends a run under way: it is aborted, by annotation or by deleting it, or its policy is deleted. `core/phases.py` has the table."""

from typing import Final

from retrainer.core.actions import DeleteJob
from retrainer.core.commands import is_interrupted
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Event, Outcome, Reaction, reaction
from retrainer.core.run.rollback import roll_back
from retrainer.core.run.step import Step, end

POLICY_DELETED: Final = "PolicyDeleted"


def interrupted(run: RunSeen, seen: Observation) -> Step | None:
    """Return the end of a run that somebody aborts, or that a namesake of this policy has left behind; None for any other."""
    if run.live and is_of_another(run, seen.policy.identity.uid):
        return taken_out(run, seen, POLICY_DELETED, policy_deleted(run), Outcome.ABORTED)
    if not is_interrupted(run):
        return None
    told = "the run was deleted" if run.deleting else f"aborted by annotation in {run.status.phase}"
    return taken_out(run, seen, "Aborted", told, Outcome.ABORTED)


def is_of_another(run: RunSeen, policy_uid: str) -> bool:
    """Say whether another policy has taken a run up than the one with this UID; before that it is whichever has the name."""
    frozen = run.status.frozen
    return frozen is not None and frozen.policy_uid not in {"", policy_uid}


def policy_deleted(run: RunSeen) -> str:
    """Say what ends a run that no policy leads any more."""
    return f"its policy was deleted in {run.status.phase}"


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

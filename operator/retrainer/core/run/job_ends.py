"""How a Job may end, or seem to, by no doing of the trainer's: the same for looking at the data and for training."""

from datetime import timedelta
from typing import Any, Final

from retrainer.core.actions import DeleteJob
from retrainer.core.observation import JobSeen, Observation, RunSeen
from retrainer.core.phases import Outcome
from retrainer.core.run.job_reading import is_behind, ran_out_of_time, refused_by_node
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.step import Step, end, hold, wait

DATA_REJECTED: Final = 42
BAD_CONFIGURATION: Final = 43
MAX_ATTEMPTS: Final = 5
_PAUSE: Final = timedelta(seconds=5)
_CATCHES_UP_IN_S: Final = 5.0


def not_trainers_doing(run: RunSeen, seen: Observation, job: JobSeen, *, tries: int, again: dict[str, Any]) -> Step | None:
    """Return what follows when pods are not known to have ended yet, ran out of time or never ran, or None to judge what the trainer did.

    `again` are the fields of the status that ask for another Job, `tries` how many there have been.
    """
    pods = seen.pods_of(job.identity.name)
    if is_behind(job, pods):
        return hold(run.status, after=_CATCHES_UP_IN_S)
    if not job.complete and ran_out_of_time(pods):
        return _too_long(run, seen, job)
    if job.failed is not None and (refusal := refused_by_node(pods)) is not None:
        return _refused(run, seen, job, refusal, tries, again)
    return None


def _too_long(run: RunSeen, seen: Observation, job: JobSeen) -> Step:
    """A deadline ends the run at once: another pod would only run into it again."""
    limit = frozen_of(run.status).training.active_deadline
    told = f"the attempt ran longer than training.activeDeadline ({limit}): raise it, or ask for more resources"
    return end(run.status, seen.now, Outcome.TRAINING_FAILED, "DeadlineExceeded", told, DeleteJob(job.identity))


def _refused(run: RunSeen, seen: Observation, job: JobSeen, refusal: str, tries: int, again: dict[str, Any]) -> Step:
    """Ask again, a little later each time: what a node knows of itself catches up with what the scheduler knows of it."""
    status, now = run.status, seen.now
    told = f"the node refused the pod before it ran: {refusal}"
    if tries >= MAX_ATTEMPTS:
        return end(status, now, Outcome.TRAINING_FAILED, "RefusedByNode", f"{told}, {tries} times: look at the node")
    due = seen.pods_of(job.identity.name)[-1].identity.created + tries * _PAUSE
    if now < due:
        return wait(status, now, "RefusedByNode", f"{told}; it is asked for again", after=(due - now).total_seconds())
    return wait(status, now, "RefusedByNode", f"{told}; it is asked for again", DeleteJob(job.identity), after=0, **again)

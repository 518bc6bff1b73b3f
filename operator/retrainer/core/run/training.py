"""Validating, Queued and Training: two Jobs, and what their pods left behind.

A finished training is never lost: only the condition Complete counts as trained (a deadline can leave exit code 0), and whatever was lost
on the way, the Job, its pod or its message, is answered by the same version again, which a trainer repeats without training.
"""

import re
from datetime import timedelta
from typing import Final

from pydantic import BaseModel, TypeAdapter, ValidationError

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.common import Reason
from retrainer.api.v1alpha1.run_status import Result
from retrainer.core import naming
from retrainer.core.actions import DeleteJob, LaunchJob
from retrainer.core.holding import held
from retrainer.core.observation import Component, JobSeen, Observation, PodSeen, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.step import Step, end, hold, move, wait

DATA_REJECTED: Final = 42
BAD_CONFIGURATION: Final = 43
_EXIT_CODE: Final = re.compile(r"exit code (\d+)")
_MAX_ATTEMPTS: Final = 5


_REASON: Final = TypeAdapter(Reason)


class Report(BaseModel):
    """What a trainer says about data or a configuration it refuses."""

    reason: object = None
    message: str = ""

    @property
    def why(self) -> str:
        """The trainer's reason where it is one: the API server refuses a status with any other, for as long as the pod lives."""
        try:
            return _REASON.validate_python(self.reason)
        except ValidationError:
            return "DataRejected"


def validating(run: RunSeen, seen: Observation) -> Step:  # noqa: C901 - one guard a way a Job can end
    """Look at the data in a Job of its own, without a GPU; rejected data is looked at again after `recheck`."""
    status, now, frozen = run.status, seen.now, frozen_of(run.status)
    if status.recheck_at is not None:
        if now < status.recheck_at:
            return hold(status, after=(status.recheck_at - now).total_seconds())
        return hold(status, after=0, recheck_at=None, validations=status.validations + 1)
    job = seen.jobs.get(naming.validation_job(run.name, status.validations))
    if job is None:
        return hold(status, LaunchJob(run, Component.VALIDATE, status.validations))
    pods = seen.pods_of(job.identity.name)
    if job.complete:
        if run.spec.dry_run:
            return end(status, now, Outcome.DRY_RUN_PASSED, "DryRun", "the data passed; a dry run ends here")
        if (halt := held(seen)) is not None:
            return wait(status, now, halt.reason, f"the data passed; {halt.message}: nothing is trained until {halt.until}")
        return move(status, now, Phase.QUEUED, "DataPassed", "the data passed its checks; a training Job is asked for")
    if _ran_out_of_time(pods):
        return _too_long(run, seen, job)
    if job.failed is None:
        return wait(status, now, *_waiting_for(job, pods, "Validating", "the data is being looked at"))
    report, code = _report(pods), _exit_code(job, pods)
    if code == DATA_REJECTED:
        recheck = now + timedelta(seconds=seconds(frozen.data_quality.recheck))
        told = f"{report.message or 'the data was rejected'}; it is looked at again at {recheck:%H:%M:%S} UTC"
        return wait(status, now, report.why, told, recheck_at=recheck, after=(recheck - now).total_seconds())
    if code == BAD_CONFIGURATION:
        return end(status, now, Outcome.TRAINING_FAILED, "BadConfiguration", report.message or "the trainer refused its configuration")
    return end(status, now, Outcome.TRAINING_FAILED, "ValidationFailed", f"the validation Job failed: {_why(job, pods)}")


def training(run: RunSeen, seen: Observation) -> Step:
    """Train in one Job; Queued while nothing runs yet, with the deepest reason there is."""
    status = run.status
    job = seen.jobs.get(naming.training_job(run.name, status.attempt))
    if job is None:
        return hold(status, LaunchJob(run, Component.TRAIN, status.attempt))
    pods = seen.pods_of(job.identity.name)
    if job.complete:
        return _trained(run, seen, job, pods)
    if _ran_out_of_time(pods):
        return _too_long(run, seen, job)
    if job.failed is not None:
        return _failed(run, seen, job, pods)
    return _under_way(run, seen, job, pods)


def _ran_out_of_time(pods: tuple[PodSeen, ...]) -> bool:
    return any(pod.reason == "DeadlineExceeded" for pod in pods)


def _too_long(run: RunSeen, seen: Observation, job: JobSeen) -> Step:
    """A deadline ends the run at once: another pod would only run into it again."""
    limit = frozen_of(run.status).training.active_deadline
    told = f"the attempt ran longer than training.activeDeadline ({limit}): raise it, or ask for more resources"
    return end(run.status, seen.now, Outcome.TRAINING_FAILED, "DeadlineExceeded", told, DeleteJob(job.identity))


def _under_way(run: RunSeen, seen: Observation, job: JobSeen, pods: tuple[PodSeen, ...]) -> Step:
    status, now = run.status, seen.now
    if pods and pods[-1].ended is not None and not job.suspended:
        return hold(status)  # the Job has not yet said what that means
    if any(pod.phase == "Running" and pod.waits_for is None for pod in pods):
        if status.phase is Phase.TRAINING:
            return wait(status, now, "Training", f"training version {status.version}")
        return move(status, now, Phase.TRAINING, "Training", f"training version {status.version}")
    reason, message = _waiting_for(job, pods, "Queued", "the training Job is waiting for its pod")
    if status.phase is Phase.TRAINING:
        return move(status, now, Phase.QUEUED, reason, message)
    return wait(status, now, reason, message)


def _trained(run: RunSeen, seen: Observation, job: JobSeen, pods: tuple[PodSeen, ...]) -> Step:
    status, now = run.status, seen.now
    finished = next((pod.ended for pod in reversed(pods) if pod.ended is not None and pod.ended.exit_code == 0), None)
    if finished is None or not finished.message:
        if status.attempt >= _MAX_ATTEMPTS:
            return end(
                status, now, Outcome.TRAINING_FAILED, "ResultLost",
                f"the Job completed {status.attempt} times and left no termination message: the image must write one",
            )  # fmt: skip
        return wait(
            status, now, "ResultLost", "the Job completed but its pod or message is gone; the same version is asked for again",
            DeleteJob(job.identity), attempt=status.attempt + 1, after=0,
        )  # fmt: skip
    try:
        result = Result.model_validate_json(finished.message)
    except ValidationError as error:
        return end(
            status, now, Outcome.TRAINING_FAILED, "ResultUnreadable",
            f"the termination message is not the contract's JSON ({_first(error)}): see docs/trainer-contract.md; at most 3 KiB",
        )  # fmt: skip
    if result.version != status.version:
        return end(
            status, now, Outcome.TRAINING_FAILED, "ResultUnreadable",
            f"the trainer reports version {result.version}, asked was {status.version}",
        )  # fmt: skip
    name = frozen_of(status).gate.metrics[0].name
    score = result.metrics.candidate.get(name)
    shown = None if score is None else f"{score:.3f}" if abs(score) < 1e6 else f"{score:.3g}"
    told = f"version {result.version} is trained" + (f", {name} {shown}" if shown is not None else "")
    return move(status, now, Phase.GATING, "Trained", told, result=result, score=shown)


def _failed(run: RunSeen, seen: Observation, job: JobSeen, pods: tuple[PodSeen, ...]) -> Step:
    status, now, code, report = run.status, seen.now, _exit_code(job, pods), _report(pods)
    if code == DATA_REJECTED:
        return end(status, now, Outcome.DATA_REJECTED, report.why, report.message or "the trainer rejected the data")
    if code == BAD_CONFIGURATION:
        return end(status, now, Outcome.TRAINING_FAILED, "BadConfiguration", report.message or "the trainer refused its configuration")
    reason = job.failed[0] if job.failed else "Failed"
    return end(status, now, Outcome.TRAINING_FAILED, reason, f"the training Job failed: {_why(job, pods)}")


def _waiting_for(job: JobSeen, pods: tuple[PodSeen, ...], reason: str, message: str) -> tuple[str, str]:
    """Return the deepest reason why nothing runs: the pod's container, its scheduling, the Job's suspension, else what is given."""
    if job.suspended:
        return "Suspended", f"Job {job.identity.name} is suspended: whoever suspended it (a queue, a person) must resume it"
    told = next((pod.waits_for for pod in reversed(pods) if pod.waits_for is not None), None)
    return told or (reason, message)


def _exit_code(job: JobSeen, pods: tuple[PodSeen, ...]) -> int | None:
    """Return the exit code that ended the Job, from its pod, or where that is gone from the condition's sentence."""
    for pod in reversed(pods):
        if pod.ended is not None and pod.ended.exit_code != 0:
            return pod.ended.exit_code
    found = _EXIT_CODE.search(job.failed[1]) if job.failed else None
    return int(found.group(1)) if found else None


def _report(pods: tuple[PodSeen, ...]) -> Report:
    for pod in reversed(pods):
        if pod.ended is not None and pod.ended.message:
            try:
                return Report.model_validate_json(pod.ended.message)
            except ValidationError:
                continue
    return Report()


def _why(job: JobSeen, pods: tuple[PodSeen, ...]) -> str:
    ended = next((pod.ended for pod in reversed(pods) if pod.ended is not None), None)
    last = f"; the last pod ended with exit code {ended.exit_code} ({ended.reason or 'Error'})" if ended else ""
    return f"{job.failed[1] if job.failed else 'no reason given'}{last}"


def _first(error: ValidationError) -> str:
    """Return where and why, without the message's own text: it is a tenant's and may be long."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['type']}" if where else str(problem["type"])

"""Queued and Training: one Job, and what its pods left behind.

A finished training is never lost: only the condition Complete counts as trained (a deadline can leave exit code 0), and whatever was lost
on the way, the Job, its pod or its message, is answered by the same version again, which a trainer repeats without training.
"""

from pydantic import ValidationError

from retrainer.api.v1alpha1.run_status import Result
from retrainer.core import naming
from retrainer.core.actions import DeleteJob, LaunchJob
from retrainer.core.observation import Component, JobSeen, Observation, PodSeen, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.job_ends import BAD_CONFIGURATION, DATA_REJECTED, MAX_ATTEMPTS, not_trainers_doing
from retrainer.core.run.job_reading import exit_code, report_of, waiting_for, why
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.step import Step, end, hold, move, wait


def training(run: RunSeen, seen: Observation) -> Step:
    """Train in one Job; Queued while nothing runs yet, with the deepest reason there is."""
    status = run.status
    job = seen.jobs.get(naming.training_job(run.name, status.attempt))
    if job is None:
        return hold(status, LaunchJob(run, Component.TRAIN, status.attempt))
    pods = seen.pods_of(job.identity.name)
    if (step := not_trainers_doing(run, seen, job, tries=status.attempt, again={"attempt": status.attempt + 1})) is not None:
        return step
    if job.complete:
        return _trained(run, seen, job, pods)
    if job.failed is not None:
        return _failed(run, seen, job, pods)
    return _under_way(run, seen, job, pods)


def _under_way(run: RunSeen, seen: Observation, job: JobSeen, pods: tuple[PodSeen, ...]) -> Step:
    status, now = run.status, seen.now
    if pods and pods[-1].ended is not None and not job.suspended:
        return hold(status)  # the Job has not yet said what that means
    if any(pod.phase == "Running" and pod.waits_for is None for pod in pods):
        if status.phase is Phase.TRAINING:
            return wait(status, now, "Training", f"training version {status.version}")
        return move(status, now, Phase.TRAINING, "Training", f"training version {status.version}")
    reason, message = waiting_for(job, pods, "Queued", "the training Job is waiting for its pod")
    if status.phase is Phase.TRAINING:
        return move(status, now, Phase.QUEUED, reason, message)
    return wait(status, now, reason, message)


def _trained(run: RunSeen, seen: Observation, job: JobSeen, pods: tuple[PodSeen, ...]) -> Step:
    status, now = run.status, seen.now
    finished = next((pod.ended for pod in reversed(pods) if pod.ended is not None and pod.ended.exit_code == 0), None)
    if finished is None or not finished.message:
        if status.attempt >= MAX_ATTEMPTS:
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
    status, now, code, report = run.status, seen.now, exit_code(job, pods), report_of(pods)
    if code == DATA_REJECTED:
        return end(status, now, Outcome.DATA_REJECTED, report.why, report.message or "the trainer rejected the data")
    if code == BAD_CONFIGURATION:
        return end(status, now, Outcome.TRAINING_FAILED, "BadConfiguration", report.message or "the trainer refused its configuration")
    reason = job.failed[0] if job.failed else "Failed"
    return end(status, now, Outcome.TRAINING_FAILED, reason, f"the training Job failed: {why(job, pods)}")


def _first(error: ValidationError) -> str:
    """Return where and why, without the message's own text: it is a tenant's and may be long."""
    problem = error.errors(include_input=False, include_url=False)[0]
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {problem['type']}" if where else str(problem["type"])

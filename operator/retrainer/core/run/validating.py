"""Validating: the data is looked at in a Job of its own before a GPU is asked for; rejected data is looked at again until it is mended."""

from datetime import timedelta

from retrainer.api.v1alpha1 import seconds
from retrainer.core import naming
from retrainer.core.actions import DeleteJob, LaunchJob
from retrainer.core.holding import held
from retrainer.core.limits import fleet_is_full
from retrainer.core.observation import Component, JobSeen, Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run.job_ends import BAD_CONFIGURATION, DATA_REJECTED, MAX_ATTEMPTS, not_trainers_doing
from retrainer.core.run.job_reading import exit_code, report_of, waiting_for, why
from retrainer.core.run.pending import frozen_of
from retrainer.core.run.step import Step, end, hold, move, wait


def validating(run: RunSeen, seen: Observation) -> Step:
    """Look at the data; rejected data is looked at again after `recheck`."""
    status, now = run.status, seen.now
    if status.recheck_at is not None:
        if now < status.recheck_at:
            return hold(status, after=(status.recheck_at - now).total_seconds())
        return hold(status, after=0, recheck_at=None, validations=status.validations + 1)
    job = seen.jobs.get(naming.validation_job(run.name, status.validations))
    if job is None:
        return hold(status, LaunchJob(run, Component.VALIDATE, status.validations))
    if job.policy_generation != frozen_of(status).policy_generation:
        return hold(status, DeleteJob(job.identity), after=0, validations=status.validations + 1)  # made of the policy before an edit
    if (step := not_trainers_doing(run, seen, job, tries=_tries(run), again={"validations": status.validations + 1})) is not None:
        return step
    if job.complete:
        return _passed(run, seen)
    if job.failed is not None:
        return _failed(run, seen, job)
    return wait(status, now, *waiting_for(job, seen.pods_of(job.identity.name), "Validating", "the data is being looked at"))


def _tries(run: RunSeen) -> int:
    """A look at data costs next to nothing, and rejected data counts as one too: a node that refuses is asked for as long as it takes."""
    return min(run.status.validations, MAX_ATTEMPTS - 1)


def _passed(run: RunSeen, seen: Observation) -> Step:
    status, now = run.status, seen.now
    if run.spec.dry_run:
        return end(status, now, Outcome.DRY_RUN_PASSED, "DryRun", "the data passed; a dry run ends here")
    if (halt := held(seen)) is not None:
        return wait(status, now, halt.reason, f"the data passed; {halt.message}: nothing is trained until {halt.until}")
    if status.validations > 1 and (full := fleet_is_full(run, seen)) is not None:
        return wait(status, now, full.reason, f"the data passed; {full.message}", after=full.seconds_left(now))
    return move(status, now, Phase.QUEUED, "DataPassed", "the data passed its checks; a training Job is asked for")


def _failed(run: RunSeen, seen: Observation, job: JobSeen) -> Step:
    status, now, pods = run.status, seen.now, seen.pods_of(job.identity.name)
    report, code = report_of(pods), exit_code(job, pods)
    if code == DATA_REJECTED:
        recheck = now + timedelta(seconds=seconds(frozen_of(status).data_quality.recheck))
        told = f"{report.message or 'the data was rejected'}; it is looked at again at {recheck:%H:%M:%S} UTC"
        return wait(status, now, report.why, told, recheck_at=recheck, after=(recheck - now).total_seconds())
    if code == BAD_CONFIGURATION:
        return end(status, now, Outcome.TRAINING_FAILED, "BadConfiguration", report.message or "the trainer refused its configuration")
    return end(status, now, Outcome.TRAINING_FAILED, "ValidationFailed", f"the validation Job failed: {why(job, pods)}")

import json
from datetime import timedelta

from retrainer.core.actions import DeleteJob, LaunchJob
from retrainer.core.observation import Component, JobSeen, PodSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.step import Step
from tests.builders import NOW, Part, a_job, a_pod, a_policy, a_run, seen

JOB = "churn-risk-57-validate-1"
REJECTED = json.dumps({"reason": "InsufficientRows", "message": "84 members, at least 100 are needed"})
FINAL = ("PodFailurePolicy", "…")


def validated(job: JobSeen | None, *pods: PodSeen, suspend: bool = False, **status: Part) -> Step:
    run = a_run(Phase.VALIDATING, **status)
    return advance(run, seen(a_policy(suspend=suspend), run, jobs=[job] if job else [], pods=pods))


def test_the_data_is_looked_at_in_a_job_of_its_own() -> None:
    [launch] = validated(None).effects
    assert isinstance(launch, LaunchJob)
    assert (launch.component, launch.number) == (Component.VALIDATE, 1)


def test_what_looks_at_the_data_as_the_policy_was_before_an_edit_is_made_anew() -> None:
    """The operator died between the Job and the status, and the policy that the run then froze was another."""
    outdated = a_job(JOB, complete=True, policy_generation=2)
    step = validated(outdated)
    assert (step.status.phase, step.status.validations, step.effects) == (Phase.VALIDATING, 2, (DeleteJob(outdated.identity),))


def test_good_data_goes_on_to_training() -> None:
    step = validated(a_job(JOB, complete=True))
    assert (step.status.phase, step.status.reason) == (Phase.QUEUED, "DataPassed")


def test_a_dry_run_ends_once_the_data_has_passed() -> None:
    run = a_run(Phase.VALIDATING, spec={"dry_run": True})
    step = advance(run, seen(a_policy(), run, jobs=[a_job(JOB, complete=True)]))
    assert step.status.outcome is Outcome.DRY_RUN_PASSED


def test_a_suspended_policy_asks_for_no_training_once_the_data_has_passed() -> None:
    step = validated(a_job(JOB, complete=True), suspend=True)
    assert (step.status.phase, step.status.reason, step.effects) == (Phase.VALIDATING, "Suspended", ())


def test_rejected_data_keeps_the_run_and_is_looked_at_again_later() -> None:
    step = validated(a_job(JOB, failed=FINAL), a_pod(JOB, exit_code=42, message=REJECTED))
    assert (step.status.phase, step.status.reason) == (Phase.VALIDATING, "InsufficientRows")
    assert step.status.recheck_at == NOW + timedelta(hours=1)
    assert step.after == 3600


def test_between_two_looks_nothing_is_done() -> None:
    step = validated(a_job(JOB, failed=FINAL), recheck_at=NOW + timedelta(minutes=20))
    assert (step.effects, step.after) == ((), 1200)


def test_when_the_time_has_come_only_the_validation_is_repeated() -> None:
    step = validated(a_job(JOB, failed=FINAL), recheck_at=NOW)
    assert (step.status.phase, step.status.validations, step.status.recheck_at) == (Phase.VALIDATING, 2, None)
    [launch] = validated(a_job(JOB, failed=FINAL), validations=2).effects
    assert isinstance(launch, LaunchJob)
    assert launch.number == 2


def test_mended_data_lets_the_run_go_on() -> None:
    step = validated(a_job("churn-risk-57-validate-2", complete=True), validations=2)
    assert step.status.phase is Phase.QUEUED


def test_a_bad_configuration_ends_the_run_before_a_gpu_is_asked_for() -> None:
    step = validated(a_job(JOB, failed=FINAL), a_pod(JOB, exit_code=43, message='{"message": "unknown model type"}'))
    assert (step.status.outcome, step.status.reason) == (Outcome.TRAINING_FAILED, "BadConfiguration")


def test_a_validation_that_cannot_be_made_fails_the_run() -> None:
    step = validated(a_job(JOB, failed=("BackoffLimitExceeded", "…")), a_pod(JOB, exit_code=1))
    assert (step.status.outcome, step.status.reason) == (Outcome.TRAINING_FAILED, "ValidationFailed")


def test_a_validation_that_waits_says_what_for() -> None:
    step = validated(a_job(JOB), a_pod(JOB, waits_for=("CreateContainerConfigError", "no secret")))
    assert (step.status.phase, step.status.reason) == (Phase.VALIDATING, "CreateContainerConfigError")


def test_a_message_that_is_no_report_still_counts_as_rejected_data() -> None:
    step = validated(a_job(JOB, failed=FINAL), a_pod(JOB, exit_code=42, message="oops"))
    assert (step.status.reason, step.status.phase) == ("DataRejected", Phase.VALIDATING)


def test_a_node_that_refuses_the_look_at_the_data_is_asked_for_as_long_as_it_takes() -> None:
    tenth = "churn-risk-57-validate-10"
    refused = a_pod(tenth, phase="Failed", reason="OutOfcpu")
    step = validated(a_job(tenth, failed=("BackoffLimitExceeded", "…")), refused, validations=10)
    assert (step.status.phase, step.status.reason, step.status.validations) == (Phase.VALIDATING, "RefusedByNode", 11)

import json

import pytest

from retrainer.api.v1alpha1 import ModelRetrainRunStatus
from retrainer.core.actions import DeleteJob, LaunchJob
from retrainer.core.observation import Component, Ended, JobSeen, PodSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.run.step import Step
from tests.builders import CANDIDATE, NOW, Part, a_job, a_pod, a_policy, a_result, a_run, kinds, seen

JOB = "churn-risk-57-train-1"
LOST = ("BackoffLimitExceeded", "Job has reached the specified backoff limit")


def trained(job: JobSeen | None, *pods: PodSeen, phase: Phase = Phase.TRAINING, **status: Part) -> Step:
    run = a_run(phase, **status)
    return advance(run, seen(a_policy(), run, jobs=[job] if job else [], pods=pods))


def ending(step: Step) -> tuple[Outcome | None, str]:
    return step.status.outcome, step.status.reason


def message(**changes: Part) -> str:
    return json.dumps(a_result(**changes))


def test_a_run_in_queued_asks_for_its_job() -> None:
    step = trained(None, phase=Phase.QUEUED)
    [launch] = step.effects
    assert isinstance(launch, LaunchJob)
    assert (launch.component, launch.number) == (Component.TRAIN, 1)


def test_a_job_that_vanished_is_asked_for_again_under_the_same_attempt() -> None:
    step = trained(None, attempt=2)
    [launch] = step.effects
    assert isinstance(launch, LaunchJob)
    assert (launch.number, step.status.phase) == (2, Phase.TRAINING)


def test_a_job_is_asked_for_once() -> None:
    assert trained(a_job(JOB), phase=Phase.QUEUED).effects == ()


def test_a_running_pod_is_training() -> None:
    assert trained(a_job(JOB), a_pod(JOB, phase="Running"), phase=Phase.QUEUED).status.phase is Phase.TRAINING


@pytest.mark.parametrize(
    ("reason", "told"),
    [
        ("Unschedulable", "0/3 nodes have nvidia.com/gpu"),
        ("ImagePullBackOff", "image trainer:9 cannot be pulled"),
        ("CreateContainerConfigError", 'secret "platform-db" not found'),
    ],
)
def test_a_pod_that_cannot_start_is_waiting_with_the_deepest_reason(reason: str, told: str) -> None:
    step = trained(a_job(JOB), a_pod(JOB, waits_for=(reason, told)), phase=Phase.QUEUED)
    assert (step.status.phase, step.status.reason, step.status.message) == (Phase.QUEUED, reason, told)


def test_a_suspended_job_is_waiting_and_nothing_else() -> None:
    step = trained(a_job(JOB, suspended=True), phase=Phase.QUEUED)
    assert (step.status.phase, step.status.reason, step.effects) == (Phase.QUEUED, "Suspended", ())


def test_a_preempted_training_waits_again_and_is_not_failed() -> None:
    pods = a_pod(JOB, reason="Evicted", phase="Failed", age_s=90), a_pod(JOB, waits_for=("Unschedulable", "no node"), number=1)
    step = trained(a_job(JOB), *pods)
    assert (step.status.phase, step.status.reason) == (Phase.QUEUED, "Unschedulable")


@pytest.mark.parametrize("code", [0, 1, 42])
def test_a_pod_that_ended_is_not_called_waiting_while_the_job_has_not_said_so(code: int) -> None:
    step = trained(a_job(JOB), a_pod(JOB, exit_code=code, message=message()))
    assert (step.status.phase, step.effects) == (Phase.TRAINING, ())


def test_a_complete_job_hands_its_result_to_the_gate() -> None:
    step = trained(a_job(JOB, complete=True), a_pod(JOB, exit_code=0, message=message(candidate=0.8421)))
    assert step.status.phase is Phase.GATING
    assert step.status.result is not None
    assert step.status.result.metrics.candidate == {"accuracy": 0.8421}
    assert step.status.score == "0.842"


def test_a_training_that_was_never_seen_running_counts_as_well() -> None:
    step = trained(a_job(JOB, complete=True), a_pod(JOB, exit_code=0, message=message()), phase=Phase.QUEUED)
    assert step.status.phase is Phase.GATING


def test_the_result_is_read_from_the_pod_that_succeeded_among_those_that_failed() -> None:
    pods = a_pod(JOB, exit_code=1, age_s=90), a_pod(JOB, exit_code=0, message=message(), age_s=60, number=1)
    assert trained(a_job(JOB, complete=True), *pods).status.phase is Phase.GATING


@pytest.mark.parametrize("failed", [None, LOST])
def test_a_deadline_ends_the_run_though_it_left_exit_code_0(failed: tuple[str, str] | None) -> None:
    pod = a_pod(JOB, phase="Failed", reason="DeadlineExceeded", ended=Ended(0, "Completed", message()))
    job = a_job(JOB, failed=failed)
    step = trained(job, pod)
    assert ending(step) == (Outcome.TRAINING_FAILED, "DeadlineExceeded")
    assert step.effects == (DeleteJob(job.identity),)


@pytest.mark.parametrize("left", [[], [a_pod(JOB, exit_code=0, message="")]])
def test_a_result_lost_with_its_pod_or_message_is_asked_for_again(left: list[PodSeen]) -> None:
    job = a_job(JOB, complete=True)
    step = trained(job, *left)
    assert (step.status.phase, step.status.reason, step.status.attempt) == (Phase.TRAINING, "ResultLost", 2)
    assert step.effects == (DeleteJob(job.identity),)


def test_a_result_that_is_lost_again_and_again_is_given_up() -> None:
    step = trained(a_job("churn-risk-57-train-5", complete=True), attempt=5)
    assert ending(step) == (Outcome.TRAINING_FAILED, "ResultLost")


@pytest.mark.parametrize(
    "unreadable",
    [
        "trained!",
        message()[40:],  # the kubelet keeps the last 4096 bytes
        "[]",
        '{"metrics": {}}',
        message(version="20200101-000000-1"),
        message(version="../../etc"),
        message(warnings=["x"] * 17),
        message(digest="9" * 81),
        message(candidate="good"),
        message(metrics={"candidate": {f"m{n}": 1 for n in range(33)}}),
        message(metrics={"candidate": {"accuracy": float("nan")}}),
        message(metrics={"candidate": {"accuracy": float("inf")}}),
        "[" * 4000,
    ],
)
def test_a_message_that_is_not_the_contracts_fails_the_run_and_is_not_repeated(unreadable: str) -> None:
    step = trained(a_job(JOB, complete=True), a_pod(JOB, exit_code=0, message=unreadable))
    assert ending(step) == (Outcome.TRAINING_FAILED, "ResultUnreadable")
    assert unreadable not in step.status.message


def test_a_score_beyond_all_measure_still_fits_the_schema() -> None:
    step = trained(a_job(JOB, complete=True), a_pod(JOB, exit_code=0, message=message(candidate=1e300)))
    assert ModelRetrainRunStatus.model_validate(step.status.wire()).score == "1e+300"


def test_rejected_data_of_the_training_job_ends_the_run_with_the_trainers_words() -> None:
    told = json.dumps({"reason": "InsufficientRows", "message": "84 members, at least 100 are needed"})
    step = trained(a_job(JOB, failed=("PodFailurePolicy", "…")), a_pod(JOB, exit_code=42, message=told))
    assert ending(step) == (Outcome.DATA_REJECTED, "InsufficientRows")
    assert "84 members" in step.status.message


def test_a_bad_configuration_is_final() -> None:
    step = trained(a_job(JOB, failed=("PodFailurePolicy", "…")), a_pod(JOB, exit_code=43, message='{"message": "REQUIRE_GPU=1"}'))
    assert ending(step) == (Outcome.TRAINING_FAILED, "BadConfiguration")
    assert step.status.message == "REQUIRE_GPU=1"


@pytest.mark.parametrize(("code", "outcome"), [(42, Outcome.DATA_REJECTED), (43, Outcome.TRAINING_FAILED)])
def test_a_final_exit_code_is_found_in_the_jobs_own_words_when_its_pod_is_gone(code: int, outcome: Outcome) -> None:
    told = f"Container trainer for pod members/x failed with exit code {code} matching FailJob rule at index 1"
    assert trained(a_job(JOB, failed=("PodFailurePolicy", told))).status.outcome is outcome


def test_a_fault_beyond_the_backoff_limit_fails_the_run_and_names_the_exit_code() -> None:
    step = trained(a_job(JOB, failed=LOST), a_pod(JOB, exit_code=137))
    assert ending(step) == (Outcome.TRAINING_FAILED, "BackoffLimitExceeded")
    assert "exit code 137" in step.status.message


@pytest.mark.parametrize("reason", ["", "no rows", "9rows", "x" * 65, "a\nb", None, 5])
def test_a_reason_of_a_trainer_that_is_no_reason_is_not_taken_over(reason: object) -> None:
    told = json.dumps({"reason": reason, "message": "m"})
    step = trained(a_job(JOB, failed=LOST), a_pod(JOB, exit_code=42, message=told))
    assert step.status.reason == "DataRejected"
    assert ModelRetrainRunStatus.model_validate(step.status.wire()) == step.status


def test_a_policy_suspended_meanwhile_lets_the_training_finish() -> None:
    run = a_run(Phase.TRAINING)
    pod = a_pod(JOB, exit_code=0, message=message())
    step = advance(run, seen(a_policy(suspend=True), run, jobs=[a_job(JOB, complete=True)], pods=(pod,)))
    assert step.status.phase is Phase.GATING


def test_the_version_asked_for_is_the_runs_whatever_the_attempt() -> None:
    assert trained(None, attempt=3).status.version == CANDIDATE


def test_a_job_of_an_earlier_attempt_is_not_the_present_one() -> None:
    step = trained(a_job(JOB, complete=True), a_pod(JOB, exit_code=0, message=message()), attempt=2)
    assert step.status.phase is Phase.TRAINING
    assert [type(effect) for effect in step.effects] == [LaunchJob]


def test_a_long_message_is_cut_to_what_the_schema_admits() -> None:
    told = json.dumps({"reason": "Missing", "message": "x" * 3000})
    step = trained(a_job(JOB, failed=LOST), a_pod(JOB, exit_code=42, message=told))
    assert len(step.status.message) == 512
    assert step.status.completed_at == NOW


def refused(**seen: Part) -> PodSeen:
    """A pod that the kubelet did not admit: no container of it ever started."""
    return a_pod(JOB, phase="Failed", reason="OutOfnvidia.com/gpu", **seen)


def test_a_pod_that_its_node_refused_before_it_ran_is_no_failed_training() -> None:
    step = trained(a_job(JOB, failed=LOST), refused(), phase=Phase.QUEUED)
    assert (step.status.phase, step.status.reason, step.status.attempt) == (Phase.QUEUED, "RefusedByNode", 2)
    assert "OutOfnvidia.com/gpu" in step.status.message
    assert kinds(step.effects) == ["DeleteJob"]


def test_the_node_has_time_to_catch_up_before_it_is_asked_again() -> None:
    step = trained(a_job(JOB, failed=LOST), refused(age_s=2), phase=Phase.QUEUED)
    assert (step.status.reason, step.status.attempt, step.effects, step.after) == ("RefusedByNode", 1, (), 3)


def test_a_node_that_refuses_again_and_again_is_given_up() -> None:
    fifth = "churn-risk-57-train-5"
    step = trained(a_job(fifth, failed=LOST), a_pod(fifth, phase="Failed", reason="UnexpectedAdmissionError"), attempt=5)
    assert ending(step) == (Outcome.TRAINING_FAILED, "RefusedByNode")


def test_one_pod_that_ran_and_failed_is_a_failed_training_though_a_node_refused_another() -> None:
    step = trained(a_job(JOB, failed=LOST), refused(), a_pod(JOB, exit_code=1, number=1))
    assert ending(step) == (Outcome.TRAINING_FAILED, "BackoffLimitExceeded")


@pytest.mark.parametrize("job", [a_job(JOB, complete=True), a_job(JOB, failed=LOST)], ids=["complete", "failed"])
def test_a_job_that_ended_is_judged_once_the_end_of_its_pods_is_known_too(job: JobSeen) -> None:
    step = trained(job, a_pod(JOB, phase="Running"))
    assert (step.status.phase, step.status.outcome, step.effects) == (Phase.TRAINING, None, ())
    assert step.after is not None

"""One training at a time, and none lost."""

from tests.observer.checks.training import OneTraining, TrainingsOnRecord
from tests.observer.world import Run
from tests.unit.observer.worlds import CANDIDATE, NAMESPACE, training, training_pod, with_jobs, world

JOB = "churn-risk-2-train-1"


def test_two_active_training_jobs_of_a_policy_are_told_once() -> None:
    check = OneTraining()
    jobs = [training(JOB), training("churn-risk-3-train-1")]
    assert not check.look(with_jobs(world(0.0), jobs))
    (violation,) = check.look(with_jobs(world(1.0), jobs))
    assert violation.invariant == "OneTrainingPerPolicy"
    assert JOB in violation.detail
    assert not check.look(with_jobs(world(2.0), jobs))


def test_a_finished_job_is_not_active() -> None:
    check = OneTraining()
    jobs = [training(JOB, "Complete"), training("churn-risk-3-train-1", "Failed"), training("churn-risk-4-train-1")]
    check.look(with_jobs(world(0.0), jobs))
    assert not check.look(with_jobs(world(9.0), jobs))


def test_two_training_pods_that_run_at_once_are_told_though_they_belong_to_one_job() -> None:
    check = OneTraining()
    seen = [with_jobs(world(at), [training(JOB)], pods=[training_pod("a", JOB), training_pod("b", JOB)]) for at in (0.0, 1.0)]
    assert not check.look(seen[0])
    assert check.look(seen[1])


def test_a_pod_that_follows_a_finished_one_is_the_only_one() -> None:
    check = OneTraining()
    pods = [training_pod("a", JOB, finished=True), training_pod("b", JOB)]
    check.look(with_jobs(world(0.0), [training(JOB)], pods=pods))
    assert not check.look(with_jobs(world(9.0), [training(JOB)], pods=pods))


def test_a_training_that_is_on_record_nowhere_is_told_at_the_end() -> None:
    check = TrainingsOnRecord()
    check.look(with_jobs(world(0.0), [training(JOB, "Complete")], [Run((NAMESPACE, "churn-risk-2"), "churn-risk")]))
    (violation,) = check.finish(60.0)
    assert CANDIDATE in violation.detail


def test_a_training_recorded_under_another_version_is_told() -> None:
    check = TrainingsOnRecord()
    run = Run((NAMESPACE, "churn-risk-2"), "churn-risk", "20260101-000000-1")
    pod = training_pod("a", JOB, CANDIDATE, finished=True)
    check.look(with_jobs(world(0.0), [training(JOB, "Complete")], [run], [pod]))
    assert check.finish(60.0)


def test_a_training_whose_result_nobody_can_read_has_not_succeeded() -> None:
    check = TrainingsOnRecord()
    check.look(with_jobs(world(0.0), [training(JOB, "Complete")], pods=[training_pod("a", JOB, "", finished=True)]))
    assert not check.finish(60.0)


def test_a_training_whose_result_was_lost_is_told() -> None:
    check = TrainingsOnRecord()
    check.look(with_jobs(world(0.0), [training(JOB, "Complete")]))
    assert check.finish(60.0)


def test_a_training_once_on_record_stays_so_when_its_run_and_job_are_gone() -> None:
    check = TrainingsOnRecord()
    check.look(with_jobs(world(0.0), [training(JOB, "Complete")], [Run((NAMESPACE, "churn-risk-2"), "churn-risk", CANDIDATE)]))
    check.look(world(30.0))
    assert not check.finish(60.0)
    assert check.versions == [CANDIDATE]


def test_a_training_that_ended_a_moment_before_the_observer_did_may_not_be_on_record_yet() -> None:
    check = TrainingsOnRecord()
    check.look(with_jobs(world(58.0), [training(JOB, "Complete")]))
    assert not check.finish(60.0)
    assert check.finish(70.0)

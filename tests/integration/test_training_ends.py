"""Every way a training can end: what the run says, and that no finished training is lost or done twice."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import pytest
import pytest_asyncio

from tests.integration.stage import Stage, Theatre
from tests.stand_ins.fake_trainer import (
    BAD_CONFIGURATION,
    DATA_REJECTED,
    HANGS,
    UNSCHEDULABLE,
    Answer,
    FakeTrainer,
    Request,
    passes,
    rejects,
    says,
    trains,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOO_FEW = rejects(DATA_REJECTED, "InsufficientRows", "84 members, at least 100 are needed")
UNKNOWN_MODEL = rejects(BAD_CONFIGURATION, "UnknownModelType", "no model is named churn_risk")
NO_GPU = rejects(BAD_CONFIGURATION, "NoGpu", "REQUIRE_GPU=1, and there is no GPU")


async def given_a_run(stage: Stage, trainer: FakeTrainer, **changes: object) -> None:
    """Have a policy whose initial run meets this trainer."""
    stage.kubelet.play(trainer=trainer)
    await stage.given_a_platform()
    await stage.given_a_policy(**changes)


async def test_rejected_data_is_looked_at_again_until_it_is_mended(stage: Stage) -> None:
    await given_a_run(stage, FakeTrainer(validate=TOO_FEW, train=HANGS), dataQuality={"recheck": "1s"})
    told = await stage.then_condition("DataQuality", "False", "InsufficientRows")
    assert "84 members, at least 100 are needed; it is looked at again at" in told["message"]
    await stage.then(lambda: len(stage.jobs_of("churn-1", "validate")) > 1, "the data is looked at again")
    assert stage.jobs_of("churn-1") == [], "no GPU is asked for"
    stage.kubelet.play(trainer=FakeTrainer(validate=passes, train=trains()))
    await stage.then_run_ends("churn-1", "Succeeded")
    await stage.then_condition("DataQuality", "True", "ChecksPassed")


async def test_an_emergency_does_not_wait_for_data_to_be_mended(stage: Stage) -> None:
    shock = {
        "name": "shock",
        "alert": {"matchLabels": {"severity": "emergency"}},
        "emergency": {"maxWeight": 50},
        "data": {"holdout": "7d"},
    }
    await given_a_run(stage, FakeTrainer(validate=TOO_FEW), dataQuality={"recheck": "1h"}, triggers=[shock])
    await stage.then_condition("DataQuality", "False", "InsufficientRows")
    stage.kubelet.play(trainer=FakeTrainer())

    assert await stage.when_paged(severity="emergency") == 200

    given_way = await stage.then_run_ends("churn-1", "Superseded")
    assert "churn-2" in given_way["status"]["message"]
    run = await stage.then_run_ends("churn-2", "Succeeded")
    assert run["spec"]["emergency"]["maxWeight"] == 50
    assert stage.kubelet.trained == [run["status"]["version"]], "what waited for its data was never trained"
    await stage.then_condition("DataQuality", "True", "ChecksPassed")


RUBBISH = says("Traceback (most recent call last):")
LONG = says('{"version": "v", "warnings": ["' + "x" * 5120 + '"]}')
ANOTHER_VERSION = says('{"version": "v0"}')
LATE = says("", pod_reason="DeadlineExceeded")


def no_figures(request: Request) -> Answer:
    """Train and measure nothing."""
    return says(json.dumps({"version": request["version"]}))(request)


ENDS: dict[str, tuple[FakeTrainer, str, str, str]] = {
    "42 in training": (FakeTrainer(train=TOO_FEW), "DataRejected", "InsufficientRows", "84 members, at least 100 are needed"),
    "43 in validation": (FakeTrainer(validate=UNKNOWN_MODEL), "TrainingFailed", "BadConfiguration", "no model is named churn_risk"),
    "43 in training": (FakeTrainer(train=NO_GPU), "TrainingFailed", "BadConfiguration", "REQUIRE_GPU=1, and there is no GPU"),
    "a fault": (FakeTrainer(train=says("", exit_code=1)), "TrainingFailed", "BackoffLimitExceeded", "exit code 1"),
    "rubbish": (FakeTrainer(train=RUBBISH), "TrainingFailed", "ResultUnreadable", "not the contract's JSON"),
    "a message of 5 KiB": (FakeTrainer(train=LONG), "TrainingFailed", "ResultUnreadable", "at most 3 KiB"),
    "another version": (FakeTrainer(train=ANOTHER_VERSION), "TrainingFailed", "ResultUnreadable", "the trainer reports version v0"),
    "no figures": (FakeTrainer(train=no_figures), "GateRejected", "FigureMissing", "reported no accuracy, which gate.metrics names"),
    "figures below the floor": (FakeTrainer(train=trains(accuracy=0.7)), "GateRejected", "BelowFloor", "accuracy 0.700 is below 0.85"),
    "a deadline that leaves exit code 0": (FakeTrainer(train=LATE), "TrainingFailed", "DeadlineExceeded", "raise it, or ask for more"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def ended(theatre: Theatre) -> AsyncIterator[Mapping[str, Stage]]:
    """Give one stage a row, on which its run is under way beside the others."""
    async with AsyncExitStack() as open_stages:
        stages = {row: await open_stages.enter_async_context(theatre.stage("end")) for row in ENDS}
        await asyncio.gather(*(given_a_run(stages[row], trainer) for row, (trainer, *_) in ENDS.items()))
        yield stages


@pytest.mark.parametrize("row", ENDS)
async def test_the_run_ends_with_a_reason_and_a_sentence(ended: Mapping[str, Stage], row: str) -> None:
    stage, (_, outcome, reason, sentence) = ended[row], ENDS[row]
    run = await stage.then_run_ends("churn-1", outcome, reason)
    assert sentence in run["status"]["message"]
    await stage.then(lambda: (stage.policy_status().get("lastOutcome") or {}).get("outcome") == outcome, "the policy tells the outcome")
    assert stage.seen.one("modelretrainruns", "churn-2") is None, "a failed first run is not repeated for ever"


async def test_a_run_whose_pod_has_no_node_is_queued_and_says_why(stage: Stage) -> None:
    await given_a_run(stage, FakeTrainer(train=UNSCHEDULABLE))
    run = await stage.then_run_is_in("churn-1", "Queued", "Unschedulable")
    assert run["status"]["message"] == "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
    stage.kubelet.play(trainer=FakeTrainer())
    await stage.then_run_ends("churn-1", "Succeeded")


async def test_a_suspended_job_waits_and_is_not_trained_twice(stage: Stage) -> None:
    await given_a_run(stage, FakeTrainer(train=HANGS))
    await stage.then_run_is_in("churn-1", "Training")
    job = "churn-1-train-1"
    await stage.api.patch("jobs", stage.namespace, job, {"spec": {"suspend": True}})
    run = await stage.then_run_is_in("churn-1", "Queued", "Suspended")
    assert run["status"]["message"] == f"Job {job} is suspended: whoever suspended it (a queue, a person) must resume it"
    stage.kubelet.play(trainer=FakeTrainer())
    await stage.api.patch("jobs", stage.namespace, job, {"spec": {"suspend": False}})
    run = await stage.then_run_ends("churn-1", "Succeeded")
    assert stage.kubelet.trained == [run["status"]["version"]]
    assert run["status"]["attempt"] == 1


async def test_a_result_whose_pod_vanished_is_asked_for_again_and_not_trained_again(stage: Stage) -> None:
    await given_a_run(stage, FakeTrainer())

    def trained_pod() -> str | None:
        done = (pod for pod in stage.seen.all("pods", run="churn-1", component="train") if pod["status"].get("phase") == "Succeeded")
        return next((pod["metadata"]["name"] for pod in done), None)

    pod = await stage.then(trained_pod, "the training pod has succeeded")
    await stage.api.delete("pods", stage.namespace, pod)
    run = await stage.then_run_ends("churn-1", "Succeeded")
    assert stage.kubelet.trained == [run["status"]["version"]]
    await stage.then_serves(run["status"]["version"])


async def test_a_job_that_is_deleted_in_mid_training_is_made_again_for_the_same_version(stage: Stage) -> None:
    await given_a_run(stage, FakeTrainer(train=HANGS))
    before = await stage.then_run_is_in("churn-1", "Training")
    await stage.api.delete("jobs", stage.namespace, "churn-1-train-1")
    await stage.then(
        lambda: len([one for one in stage.kubelet.requests if one["action"] == "train"]) == 2, "the version is asked for again"
    )
    stage.kubelet.play(trainer=FakeTrainer())
    run = await stage.then_run_ends("churn-1", "Succeeded")
    assert run["status"]["version"] == before["status"]["version"]
    assert {one["version"] for one in stage.kubelet.requests} == {run["status"]["version"]}
    assert stage.kubelet.trained == [run["status"]["version"]]


async def test_two_jobs_of_a_policy_never_train_at_once(stage: Stage) -> None:
    await given_a_run(stage, FakeTrainer(train=HANGS))
    await stage.then_run_is_in("churn-1", "Training")
    await asyncio.gather(*(stage.when_a_person_starts(name) for name in ("by-hand", "by-hand-too")))
    for name in ("by-hand", "by-hand-too"):
        await stage.then_run_is_in(name, "Pending", "TrainingSlotTaken")
    assert [job["metadata"]["name"] for job in stage.seen.all("jobs", component="train")] == ["churn-1-train-1"]

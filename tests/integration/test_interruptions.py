"""What comes in between: a person's abort, a policy that is deleted, alerts that repeat, and an API server that is away."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest

from tests.cluster.local.cluster import LocalCluster
from tests.cluster.local.layout import Layout
from tests.cluster.local.record import Record
from tests.integration.stage import Stage
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer

pytestmark = pytest.mark.asyncio(loop_scope="session")

VERSION = "retrainer.dev/version"


async def given_a_canary_without_data(stage: Stage) -> tuple[str, str]:
    """Have a run that holds its weight; return the champion's and the candidate's version."""
    champion = await stage.given_a_champion(rollout={"stepWeights": [20]})
    stage.figures.of = lambda version: None
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Canary", "Step1")
    return champion, run["status"]["version"]


async def then_the_candidate_is_gone(stage: Stage, champion: str, candidate: str) -> None:
    await stage.then_serves(champion)
    await stage.then(lambda: stage.seen.one("deployments", f"churn-api-{candidate}") is None, "the candidate's Deployment is gone")
    assert len(stage.pods_of(champion)) == 2


async def test_an_abort_in_training_deletes_the_job(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.given_a_platform()
    await stage.given_a_policy()
    run = await stage.then_run_is_in("churn-1", "Training")
    await stage.when_annotated("churn-1", abort="another-version")
    await stage.when_annotated("churn-1", abort=run["status"]["version"])
    ended = await stage.then_run_ends("churn-1", "Aborted", "Aborted")
    assert ended["status"]["message"] == "aborted by annotation in Training"
    await stage.then(lambda: not stage.jobs_of("churn-1"), "the Job is deleted")


async def test_an_abort_in_the_canary_returns_the_traffic_and_takes_the_candidate_away(stage: Stage) -> None:
    champion, candidate = await given_a_canary_without_data(stage)
    await stage.when_annotated("churn-2", abort=candidate)
    await stage.then_run_ends("churn-2", "Aborted", "Aborted")
    await then_the_candidate_is_gone(stage, champion, candidate)


async def test_a_run_deleted_in_its_canary_returns_the_traffic(stage: Stage) -> None:
    champion, candidate = await given_a_canary_without_data(stage)
    await stage.api.delete("modelretrainruns", stage.namespace, "churn-2")
    await stage.then(lambda: stage.serves_alone(champion), "the traffic is back", within=5)
    await then_the_candidate_is_gone(stage, champion, candidate)


async def test_a_policy_deleted_in_a_canary_returns_the_traffic_and_is_no_outage(stage: Stage) -> None:
    champion, candidate = await given_a_canary_without_data(stage)
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    await then_the_candidate_is_gone(stage, champion, candidate)
    await stage.then(lambda: not stage.seen.all("modelretrainruns"), "its runs go with it")


async def test_a_persons_run_ends_with_its_policy_and_the_next_of_that_name_begins_anew(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [20], "interval": "1h"})
    await stage.when_a_person_starts("by-hand")
    version = (await stage.then_run_is_in("by-hand", "Canary", "Step1"))["status"]["version"]
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    await stage.then_run_ends("by-hand", "Aborted", "PolicyDeleted")
    await stage.then(lambda: not stage.pods_of(version), "its candidate has gone")
    await stage.given_a_policy()
    await stage.then_condition("Ready", "True", "Accepted")
    assert stage.serves_alone(champion)


async def test_a_persons_training_ends_with_its_policy_also_where_the_next_of_that_name_follows_at_once(stage: Stage) -> None:
    await stage.given_a_champion()
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.when_a_person_starts("by-hand")
    await stage.then_run_is_in("by-hand", "Training")
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    await stage.given_a_policy()
    await stage.then_run_ends("by-hand", "Aborted", "PolicyDeleted")
    await stage.then(lambda: not stage.jobs_of("by-hand"), "its Job is gone")
    await stage.then_condition("Ready", "True", "Accepted")


async def test_a_policy_deleted_in_a_watch_moves_nothing(stage: Stage) -> None:
    champion = await stage.given_a_champion(rollout={"stepWeights": [], "watch": {"duration": "1h"}})
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "Watching")
    version = run["status"]["version"]
    await until_recycled(stage, champion)
    pods = stage.pods_of(version) | stage.pods_of(champion)
    service = stage.service()["metadata"]["resourceVersion"]
    assert await stage.operator.metric("retrainer_policy_ready", namespace=stage.namespace) == 1
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    async with asyncio.timeout(30):
        while await stage.operator.metric("retrainer_policy_ready", namespace=stage.namespace):  # noqa: ASYNC110 - as below
            await asyncio.sleep(0.05)
    assert stage.service()["metadata"]["resourceVersion"] == service
    assert stage.pods_of(version) | stage.pods_of(champion) == pods
    assert stage.serves_alone(version)


async def until_recycled(stage: Stage, version: str) -> None:
    """Return when the pods that lost the traffic have been replaced one by one."""
    name = f"churn-api-{version}"

    def settled() -> bool:
        deployment = stage.seen.one("deployments", name)
        if deployment is None or "retrainer.dev/recycled-by" not in deployment["spec"]["template"]["metadata"].get("annotations", {}):
            return False
        status, replicas = deployment["status"], deployment["spec"]["replicas"]
        current = status.get("observedGeneration") == deployment["metadata"]["generation"]
        return bool(current and status.get("updatedReplicas") == status.get("replicas") == status.get("availableReplicas") == replicas)

    await stage.then(settled, f"{name} has been recycled")


async def test_an_alert_that_repeats_starts_one_run_also_after_a_restart(stage: Stage) -> None:
    await stage.given_a_champion()
    since = datetime.now(UTC)
    assert [await stage.when_paged(starts_at=since) for _ in range(3)] == [200, 200, 200]
    await stage.then_run_ends("churn-2", "Succeeded")
    stage.operator.kill()
    await stage.operator.start()
    assert await stage.when_paged(starts_at=since) == 200
    assert [run["metadata"]["name"] for run in stage.seen.all("modelretrainruns")] == ["churn-1", "churn-2"]
    assert await stage.when_paged(starts_at=since, firing=False) == 200
    assert await stage.when_paged() == 200, "another episode"
    await stage.then_run_is_in("churn-3", "Validating")


async def test_an_alert_without_the_token_is_refused(stage: Stage) -> None:
    assert await stage.operator.post({}, token="guessed") == 401


async def test_an_alert_is_not_accepted_while_the_api_server_is_away(stage: Stage, control_plane: LocalCluster) -> None:
    await stage.given_a_champion()
    since = datetime.now(UTC)
    with api_server_stopped(control_plane):
        assert await stage.when_paged(starts_at=since) == 503
    await until_accepted(stage, since)
    run = await stage.then_run_ends("churn-2", "Succeeded")
    assert run["spec"]["trigger"] == "paged"
    assert stage.seen.one("modelretrainruns", "churn-3") is None


async def test_an_alert_is_not_accepted_before_the_policies_are_known(stage: Stage, control_plane: LocalCluster) -> None:
    await stage.given_a_champion()
    since = datetime.now(UTC)
    stage.operator.kill()
    with api_server_stopped(control_plane):
        stage.operator.launch()
        async with asyncio.timeout(30):
            while (answer := await stage.when_paged(starts_at=since)) == 0:  # noqa: ASYNC110 - another process sets no event
                await asyncio.sleep(0.05)
        assert answer == 503
        assert await stage.operator.status("readyz") == 503
    await stage.operator.until_ready()
    await until_accepted(stage, since)
    await stage.then_run_ends("churn-2", "Succeeded")


async def until_accepted(stage: Stage, since: datetime) -> None:
    """Repeat an alert as Alertmanager does until it is accepted."""
    async with asyncio.timeout(60):
        while await stage.when_paged(starts_at=since) != 200:  # noqa: ASYNC110 - as above
            await asyncio.sleep(0.2)


@contextmanager
def api_server_stopped(cluster: LocalCluster) -> Iterator[None]:
    """Have an API server that accepts connections and answers nothing."""
    record = Record.read(Layout(cluster.name).state)
    [pid] = [one.pid for one in record.processes if one.name == "kube-apiserver"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_each_status_write_changes_something_and_a_round_writes_an_object_once(stage: Stage) -> None:
    rounds = await stage.operator.metric("retrainer_operator_reconcile_seconds_count")
    await stage.given_a_champion()
    await stage.when_paged()
    await stage.then_run_ends("churn-2", "Succeeded")
    await stage.then(lambda: (stage.policy_status().get("lastOutcome") or {}).get("run") == "churn-2", "the policy tells the outcome")
    had = await stage.operator.metric("retrainer_operator_reconcile_seconds_count") - rounds
    for resource, name in (("modelretrainpolicies", "churn"), ("modelretrainruns", "churn-1"), ("modelretrainruns", "churn-2")):
        written = [one for one in await stage.audit.writes(stage.namespace, resource, "status") if one["objectRef"]["name"] == name]
        assert len(written) == len(stage.seen.versions[resource, name]) - 1, f"{name}: a write that changed nothing"
        assert len(written) <= had

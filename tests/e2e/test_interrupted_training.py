"""A training that has to wait, is suspended, or loses its Pod is neither lost nor done twice."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from demo.story.kubectl import Manifest
from demo.story.stage import SYSTEM, Stage
from demo.story.waiting import Look
from tests.e2e.tenant import Tenant, tenant_of

# From a Pod's start: it must also do for what starts and ends in time.
DEADLINE_SECONDS = 12


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose first version serves."""
    with tenant_of(stage, "interrupted") as tenant:
        tenant.applies_policy()
        tenant.has_first_version()
        yield tenant


def asking_for(resource: str) -> dict[str, Any]:
    return {"activeDeadline": f"{DEADLINE_SECONDS}s", "resources": {"limits": {resource: 1}}}


def has_passed(since: str, seconds: float) -> Look[bool]:
    """Looks whether so much time has passed since a moment that the API server wrote down."""

    def look() -> tuple[bool | None, str]:
        passed = (datetime.now(UTC) - datetime.fromisoformat(since)).total_seconds()
        return (passed > seconds or None), f"{passed:.0f} s have"

    return look


def is_queued(tenant: Tenant, run: str, resource: str) -> Manifest:
    """Start a run that asks for what no node has, wait until it says so, and return its Job."""
    tenant.stage.cluster.advertise(resource, 0)
    tenant.applies_policy(training=asking_for(resource))
    tenant.starts_run(run)
    assert resource in tenant.run_waits(run, "Unschedulable")
    return tenant.training_job(run)


def test_a_job_without_a_node_outlives_its_active_deadline_and_then_trains(tenant: Tenant) -> None:
    job = is_queued(tenant, "unschedulable", "example.com/first")
    tenant.stage.wait("the deadline to pass", has_passed(job["metadata"]["creationTimestamp"], 1.5 * DEADLINE_SECONDS), 30)
    tenant.stage.cluster.advertise("example.com/first", 1)
    tenant.run_ends("unschedulable", "Succeeded")
    assert tenant.training_job("unschedulable")["metadata"]["uid"] == job["metadata"]["uid"]


def test_a_job_suspended_for_longer_than_its_deadline_resumes_and_trains(tenant: Tenant) -> None:
    job = is_queued(tenant, "suspended", "example.com/second")
    suspend(tenant, job, suspended=True)
    assert "suspended" in tenant.run_waits("suspended", "Suspended")
    since = datetime.now(UTC).isoformat()
    tenant.stage.wait("the deadline to pass", has_passed(since, 1.5 * DEADLINE_SECONDS), 30)
    tenant.stage.cluster.advertise("example.com/second", 1)
    suspend(tenant, job, suspended=False)
    tenant.run_ends("suspended", "Succeeded")
    assert tenant.training_job("suspended")["metadata"]["uid"] == job["metadata"]["uid"]


def test_a_pod_deleted_just_after_training_finished_loses_nothing_and_trains_nothing_twice(tenant: Tenant) -> None:
    tenant.applies_policy()
    tenant.starts_run("deleted-pod")
    version = tenant.run_status("deleted-pod", "has a version", lambda status: "version" in status)["version"]
    tenant.run_status("deleted-pod", "is training", lambda status: bool(tenant.training_job("deleted-pod")))
    operator_runs(tenant, replicas=0)
    tenant.stage.wait("the training Pod to succeed", lambda: succeeded_pod(tenant, "deleted-pod"), 60)
    tenant.stage.kubectl("delete", "pod", f"--namespace={tenant.namespace}", "--selector=retrainer.dev/run=deleted-pod", "--wait")
    operator_runs(tenant, replicas=1)
    status = tenant.run_ends("deleted-pod", "Succeeded", within=90)
    assert status["result"]["version"] == version
    assert tenant.trainings().count(version) == 1


def suspend(tenant: Tenant, job: Manifest, *, suspended: bool) -> None:
    patch = f'{{"spec": {{"suspend": {str(suspended).lower()}}}}}'
    tenant.stage.kubectl("patch", "job", job["metadata"]["name"], f"--namespace={tenant.namespace}", f"--patch={patch}")


def operator_runs(tenant: Tenant, *, replicas: int) -> None:
    """Take the operator away, or bring it back; returns when that is so."""
    kubectl = tenant.stage.kubectl
    kubectl("scale", "deployment", "retrainer", f"--namespace={SYSTEM}", f"--replicas={replicas}")
    if replicas:
        kubectl("rollout", "status", "deployment/retrainer", f"--namespace={SYSTEM}", "--timeout=60s")
    else:
        kubectl("wait", "pod", f"--namespace={SYSTEM}", "--selector=app.kubernetes.io/name=retrainer", "--for=delete", "--timeout=60s")


def succeeded_pod(tenant: Tenant, run: str) -> tuple[bool | None, str]:
    labels = f"--selector=retrainer.dev/run={run},retrainer.dev/component=train"
    phases = [pod["status"]["phase"] for pod in tenant.stage.kubectl.items("pods", f"--namespace={tenant.namespace}", labels)]
    return ("Succeeded" in phases or None), f"phases {phases}"

"""A way back by hand needs the Service and the warm version: all else is gone, and the operator has just been started."""

import time
from collections.abc import Iterator
from typing import Final

import pytest

from demo.story.answers import Line, violations
from demo.story.ground import MONITORING
from demo.story.kubectl import Manifest
from demo.story.stage import NAMESPACE as PLATFORM
from demo.story.stage import SYSTEM, Stage
from tests.e2e import manifests
from tests.e2e.audit import first_request, selectors_written
from tests.e2e.callers import Callers, called
from tests.e2e.manifests import POLICY
from tests.e2e.rollouts import QUICK, TWO_PODS, annotates, left_to, pods_of, serving, starts
from tests.e2e.tenant import Tenant, tenant_of

WATCHED: Final[Manifest] = QUICK | {"stepWeights": [], "watch": {"duration": "1h"}}
RUN: Final = "watched"
_LOST: Final = ((MONITORING, "deployment/prometheus"), (PLATFORM, "statefulset/postgres"))
_RULES_WRITTEN_WITHIN_S: Final = 1.0


@pytest.fixture
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose second version is watched; what a test takes away is there again afterwards."""
    with tenant_of(stage, "bare") as tenant:
        tenant.applies_policy(serving=TWO_PODS, rollout=QUICK)
        tenant.has_first_version()
        starts(tenant, RUN, WATCHED)
        tenant.run_status(RUN, "is watched", lambda status: status.get("phase") == "Watching", 120)
        yield tenant
    for namespace, what in _LOST:
        stage.kubectl("scale", what, f"--namespace={namespace}", "--replicas=1")
        stage.kubectl("rollout", "status", what, f"--namespace={namespace}", "--timeout=60s")


def loses_its_surroundings(tenant: Tenant) -> None:
    """Prometheus, Postgres and every artifact are gone."""
    kubectl = tenant.stage.kubectl
    for namespace, what in _LOST:
        kubectl("scale", what, f"--namespace={namespace}", "--replicas=0")
        name = what.partition("/")[2]
        kubectl("wait", "pod", f"--namespace={namespace}", f"--selector=app.kubernetes.io/name={name}", "--for=delete", "--timeout=60s")
    tenant.applies(manifests.artifacts_removed(tenant.namespace))
    kubectl("wait", "job/artifacts-removed", f"--namespace={tenant.namespace}", "--for=condition=Complete", "--timeout=60s")


def loses_its_operator(tenant: Tenant) -> None:
    kubectl = tenant.stage.kubectl
    kubectl("scale", "deployment", "retrainer", f"--namespace={SYSTEM}", "--replicas=0")
    kubectl("wait", "pod", f"--namespace={SYSTEM}", "--selector=app.kubernetes.io/name=retrainer", "--for=delete", "--timeout=60s")


def loses_the_pods_of(tenant: Tenant, version: str) -> None:
    names = [pod["metadata"]["name"] for pod in pods_of(tenant, version)]
    tenant.stage.kubectl("delete", "pod", *names, f"--namespace={tenant.namespace}", "--grace-period=0", "--force")


def test_a_person_brings_the_version_before_back_though_all_else_is_lost(tenant: Tenant, caused: list[Line]) -> None:
    watched, before = serving(tenant), str(tenant.sees("mrp", POLICY)["status"]["previous"]["version"])
    loses_its_surroundings(tenant)
    with called(tenant, "bare") as callers:
        left_to(callers, tenant, watched)
        loses_its_operator(tenant)
        annotates(tenant, "mrp", POLICY, f"rollback={before}@bare")
        began = time.time()
        loses_the_pods_of(tenant, watched)
        tenant.stage.kubectl("scale", "deployment", "retrainer", f"--namespace={SYSTEM}", "--replicas=1")
        assert tenant.run_ends(RUN, "RolledBack")["version"] == watched
        left_to(callers, tenant, before)
        [write] = selectors_written(tenant, began)
        tells(tenant, callers, began, write.answered)
        failed = callers.failed()
    assert serving(tenant) == before
    assert all(began <= one["t"] <= write.answered + _RULES_WRITTEN_WITHIN_S for one in failed), "none fails once it is back"
    caused += outage(tenant, began, write.answered)


def tells(tenant: Tenant, callers: Callers, began: float, answered: float) -> None:
    """Tell how long the way back took."""
    operator = f"system:serviceaccount:{SYSTEM}:retrainer"
    started = first_request(tenant, operator, began)
    tenant.stage.tell(
        f"{callers.name}: one write, answered {answered - began:.3f} s after the pods were lost, "
        f"{answered - started:.3f} s after the first request of the operator that had just been started"
    )


def outage(tenant: Tenant, began: float, answered: float) -> list[Line]:
    """Return what the observer had to say of the Service while the only version with traffic had no pods."""
    told = [one for one in violations(tenant.stage.observer_record) if one["subject"] == f"{tenant.namespace}/{manifests.SERVICE}"]
    assert all(one["invariant"] == "WeightsSumAboveZero" and began <= one["t"] <= answered + 1 for one in told), told
    return told

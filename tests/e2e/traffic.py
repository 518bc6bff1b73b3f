"""No request fails, whatever becomes of a candidate: at 200 a second, half of them over kept-alive connections.

`make traffic` plays each five times. It wants a machine with a core to spare: where requests wait for the processor, they time out.
"""

import json
from collections.abc import Callable, Iterator
from typing import Any, Final

import pytest

from demo.story.kubectl import Manifest
from demo.story.stage import Stage
from tests.e2e.callers import REPEATS, Callers, called
from tests.e2e.manifests import SERVICE
from tests.e2e.tenant import Tenant, tenant_of

QUICK: Final = {"stepWeights": [50], "interval": "2s", "iterations": 1}
HELD: Final = {"stepWeights": [50], "interval": "1h", "iterations": 1}


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose first version serves."""
    with tenant_of(stage, "traffic") as tenant:
        tenant.applies_policy(serving={"replicas": 2}, rollout=QUICK)
        tenant.has_first_version()
        yield tenant


def starts(tenant: Tenant, name: str, rollout: Manifest, **model: float) -> None:
    """Start a run whose candidate is such a model."""
    environment = [{"name": "MODEL", "value": json.dumps(model)}]
    tenant.applies_policy(serving={"replicas": 2}, rollout=rollout, training={"env": environment})
    tenant.starts_run(name)


def in_canary(tenant: Tenant, name: str) -> str:
    """Return a run's version once it has its share of the traffic."""
    status = tenant.run_status(name, "is in its canary", lambda status: status.get("reason") == "Step1", 90)
    return str(status["version"])


def left_to(callers: Callers, tenant: Tenant, version: str) -> None:
    """Return once one version answers every request."""
    tenant.stage.wait(f"{version} answers alone", lambda: (callers.who_answers() == {version} or None, f"{callers.who_answers()}"), 30)


def promoted(tenant: Tenant, callers: Callers, name: str) -> None:
    """A candidate is promoted, and everybody who kept a connection to the version before leaves it."""
    starts(tenant, name, QUICK)
    version = tenant.run_ends(name, "Succeeded", 120)["version"]
    left_to(callers, tenant, version)


def rolled_back(tenant: Tenant, callers: Callers, name: str) -> None:
    """A candidate's figures are bad, and everybody who kept a connection to it leaves it."""
    champion = serving(tenant)
    starts(tenant, name, QUICK, errors=1)
    assert tenant.run_ends(name, "RolledBack", 120)["reason"] == "AnalysisFailed"
    left_to(callers, tenant, champion)


def aborted(tenant: Tenant, callers: Callers, name: str) -> None:
    """A person aborts a canary."""
    champion = serving(tenant)
    starts(tenant, name, HELD)
    version = in_canary(tenant, name)
    tenant.stage.kubectl("annotate", "mrr", name, f"--namespace={tenant.namespace}", f"retrainer.dev/abort={version}")
    tenant.run_ends(name, "Aborted")
    left_to(callers, tenant, champion)


def drained(tenant: Tenant, callers: Callers, name: str) -> None:
    """Every pod of a candidate is evicted at once, as a drain of its node does."""
    champion = serving(tenant)
    starts(tenant, name, HELD)
    version = in_canary(tenant, name)
    for pod in pods_of(tenant, version):
        evicts(tenant, pod)
    assert tenant.run_ends(name, "RolledBack")["reason"] == "CandidateNotReady"
    left_to(callers, tenant, champion)


Scenario = Callable[[Tenant, Callers, str], None]
SCENARIOS: Final[tuple[Scenario, ...]] = (promoted, rolled_back, aborted, drained)


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_request_fails(tenant: Tenant, scenario: Scenario, number: int) -> None:
    with called(tenant, f"{scenario.__name__}-{number}".replace("_", "-")) as callers:
        scenario(tenant, callers, f"{scenario.__name__}-{number}".replace("_", "-"))
        assert callers.failed() == []


def serving(tenant: Tenant) -> str:
    """Return the version that has all the traffic."""
    return str(tenant.sees("service", SERVICE)["spec"]["selector"]["retrainer.dev/version"])


def pods_of(tenant: Tenant, version: str) -> list[str]:
    """Return the names of a version's pods."""
    labels = f"--selector=retrainer.dev/version={version}"
    return [pod["metadata"]["name"] for pod in tenant.stage.kubectl.items("pods", f"--namespace={tenant.namespace}", labels)]


def evicts(tenant: Tenant, pod: str) -> None:
    """Evict a pod as `kubectl drain` does."""
    path = f"/api/v1/namespaces/{tenant.namespace}/pods/{pod}/eviction"
    eviction: dict[str, Any] = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod, "namespace": tenant.namespace}}
    tenant.stage.kubectl("create", f"--raw={path}", "--filename=-", stdin=json.dumps(eviction))

"""No request fails, whatever becomes of a candidate: at 200 a second, half of them over kept-alive connections.

`make traffic` plays each five times. It wants a machine with a core to spare: where requests wait for the processor, they time out.
"""

from collections.abc import Callable, Iterator
from typing import Final

import pytest

from demo.story.stage import Stage
from tests.e2e.callers import REPEATS, Callers, called
from tests.e2e.rollouts import HELD, QUICK, TWO_PODS, aborts, in_canary, left_to, pods_of, serving, starts
from tests.e2e.tenant import Tenant, tenant_of


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose first version serves."""
    with tenant_of(stage, "traffic") as tenant:
        tenant.applies_policy(serving=TWO_PODS, rollout=QUICK)
        tenant.has_first_version()
        yield tenant


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
    aborts(tenant, name, in_canary(tenant, name))
    left_to(callers, tenant, champion)


def drained(tenant: Tenant, callers: Callers, name: str) -> None:
    """A node is drained of the candidate's pods in mid-canary, and there is no other node for them."""
    champion = serving(tenant)
    starts(tenant, name, HELD)
    version = in_canary(tenant, name)
    node = pods_of(tenant, version)[0]["spec"]["nodeName"]
    try:
        tenant.stage.kubectl("drain", node, f"--pod-selector=retrainer.dev/version={version}", "--timeout=60s")
        assert tenant.run_ends(name, "RolledBack")["reason"] == "CandidateNotReady"
    finally:
        tenant.stage.kubectl("uncordon", node)
    left_to(callers, tenant, champion)


Scenario = Callable[[Tenant, Callers, str], None]
SCENARIOS: Final[tuple[Scenario, ...]] = (promoted, rolled_back, aborted, drained)


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_no_request_fails(tenant: Tenant, scenario: Scenario, number: int) -> None:
    name = f"{scenario.__name__}-{number}".replace("_", "-")
    with called(tenant, name) as callers:
        scenario(tenant, callers, name)
        assert callers.failed() == []

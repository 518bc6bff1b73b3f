"""Where accelerators are scarce (`capacity: Replace`), old pods go before new ones come, and no request fails."""

from collections.abc import Iterator
from typing import Final

import pytest

from demo.story.kubectl import Manifest
from demo.story.stage import Stage
from tests.e2e import manifests
from tests.e2e.callers import REPEATS, called
from tests.e2e.manifests import merged
from tests.e2e.rollouts import QUICK, left_to, pods_of, serving, starts
from tests.e2e.tenant import Tenant, tenant_of

ACCELERATOR: Final = "example.com/accelerator"
ALL: Final = 3
SERVING: Final[Manifest] = {"replicas": ALL, "capacity": "Replace"}
ROLLOUT: Final[Manifest] = QUICK | {"stepWeights": [34]}


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant each of whose pods takes an accelerator; its first version has them all."""
    with tenant_of(stage, "scarce") as tenant:
        stage.cluster.advertise(ACCELERATOR, ALL)
        tenant.applies(takes_an_accelerator(manifests.deployment(tenant.namespace)))
        tenant.applies_policy(serving=SERVING, rollout=ROLLOUT)
        tenant.has_first_version()
        yield tenant
    stage.cluster.advertise(ACCELERATOR, 0)


def takes_an_accelerator(deployment: Manifest) -> Manifest:
    """Return the Deployment with a limit that only so many pods can have at once."""
    pod = deployment["spec"]["template"]["spec"]
    limited = merged(pod["containers"][0], {"resources": {"limits": {ACCELERATOR: 1}}})
    return merged(deployment, {"spec": {"template": {"spec": {"containers": [limited]}}}})


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
@pytest.mark.parametrize("errors", [0, 1], ids=["promoted", "rolled-back"])
def test_a_candidate_takes_the_champions_accelerators_and_no_request_fails(tenant: Tenant, errors: int, number: int) -> None:
    name, champion = f"scarce-{'rolled-back' if errors else 'promoted'}-{number}", serving(tenant)
    model = {"errors": errors} if errors else {}
    with called(tenant, name) as callers:
        starts(tenant, name, ROLLOUT, serving=SERVING, **model)
        status = tenant.run_ends(name, "RolledBack" if errors else "Succeeded", 180)
        stays = champion if errors else str(status["version"])
        left_to(callers, tenant, stays)
        tenant.stage.wait(f"{stays} has every accelerator again", lambda: (has_all(tenant, stays) or None, "not yet"), 60)
        assert callers.failed() == []


def has_all(tenant: Tenant, version: str) -> bool:
    """Say whether a version's pods are all ready."""
    pods = pods_of(tenant, version)
    ready = [pod for pod in pods if any(one["type"] == "Ready" and one["status"] == "True" for one in pod["status"].get("conditions", ()))]
    return len(pods) == len(ready) == ALL

"""What already serves is taken over and given back without a failed request, on a node, under load."""

from collections.abc import Iterator

import pytest

from demo.story.stage import Stage
from tests.e2e import manifests
from tests.e2e.callers import REPEATS, called
from tests.e2e.manifests import LABELS, POLICY, SERVICE
from tests.e2e.rollouts import HELD, annotates, in_canary
from tests.e2e.tenant import Tenant, tenant_of

LEGACY = {"MODEL_VERSION": "legacy", "BUILT_IN_MODEL": '{"accuracy": 0.5}'}
OURS = {"retrainer.dev/serves": SERVICE, "retrainer.dev/version": "adopted"}


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant with a server of its own that nobody has a policy for."""
    with tenant_of(stage, "adoption") as tenant:
        git_holds(tenant, replicas=2, selector=True)
        stage.kubectl("rollout", "status", f"deployment/{manifests.DEPLOYMENT}", f"--namespace={tenant.namespace}", "--timeout=90s")
        yield tenant


def git_holds(tenant: Tenant, *, replicas: int, selector: bool) -> None:
    """Apply Deployment and Service as the tenant's repository has them."""
    tenant.applies(manifests.deployment(tenant.namespace, replicas, **LEGACY))
    tenant.applies(manifests.service(LABELS if selector else None))


def pods(tenant: Tenant, selector: str) -> set[str]:
    found = tenant.stage.kubectl.items("pods", f"--namespace={tenant.namespace}", f"--selector={selector}")
    return {pod["metadata"]["name"] for pod in found}


def selects(tenant: Tenant, wanted: dict[str, str]) -> None:
    """Return once the Service has a selector."""

    def look() -> tuple[bool | None, str]:
        selector = tenant.sees("service", SERVICE)["spec"].get("selector")
        return (selector == wanted or None), f"{selector}"

    tenant.stage.wait(f"the Service selects {wanted}", look, 60)


def gone(tenant: Tenant, selector: str) -> None:
    """Return once no pod of a selector is left."""
    tenant.stage.wait(f"no pod of {selector}", lambda: (not (left := pods(tenant, selector)) or None, f"{left}"), 90)


def adopt(tenant: Tenant) -> None:
    tenant.applies_policy(serving={"replicas": 2}, rollout=HELD, deletionPolicy="HandBack")
    assert "delete `spec.selector` of Service model in Git" in tenant.is_told("SelectorOwnedByOther")
    git_holds(tenant, replicas=2, selector=False)
    selects(tenant, OURS)
    tenant.is_told("TemplateStillRunning", status="True")
    git_holds(tenant, replicas=0, selector=False)
    tenant.is_told("Accepted", status="True")
    gone(tenant, "app.kubernetes.io/name=model-api,!retrainer.dev/version")


def have_a_canary(tenant: Tenant, run: str) -> None:
    """A candidate, which cannot be compared with what has no artifact, shares the traffic once a person has approved it."""
    tenant.starts_run(run)
    tenant.run_waits(run, "ChampionNotComparable")
    version = str(tenant.sees("mrr", run)["status"]["version"])
    annotates(tenant, "mrr", run, f"approve={version}")
    assert in_canary(tenant, run) == version


def hand_back(tenant: Tenant) -> None:
    tenant.deletes("modelretrainpolicy", POLICY)
    selects(tenant, dict(LABELS))
    git_holds(tenant, replicas=2, selector=True)
    gone(tenant, "retrainer.dev/version")
    assert len(pods(tenant, "app.kubernetes.io/name=model-api")) == 2


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
def test_what_serves_is_adopted_and_handed_back_and_no_request_fails(tenant: Tenant, number: int) -> None:
    with called(tenant, f"adopted-{number}") as callers:
        for story in (adopt, hand_back):
            story(tenant)
            assert callers.failed() == [], story.__name__
            assert callers.who_answers() == {"legacy"}, "it is the same model throughout"


@pytest.mark.parametrize("number", range(1, REPEATS + 1))
def test_what_was_adopted_is_handed_back_in_the_middle_of_a_canary_and_no_request_fails(tenant: Tenant, number: int) -> None:
    adopt(tenant)
    with called(tenant, f"handed-back-{number}") as callers:
        have_a_canary(tenant, f"candidate-{number}")
        hand_back(tenant)
        assert tenant.sees("mrr", f"candidate-{number}")["status"]["reason"] == "PolicyDeleted"
        assert callers.failed() == []
        assert callers.who_answers() == {"legacy"}, "the candidate is gone"

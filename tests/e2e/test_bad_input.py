"""Bad input is told with a reason and what to change, and nothing that serves is touched."""

from collections.abc import Iterator

import pytest

from demo.story.stage import Stage
from tests.e2e import manifests
from tests.e2e.tenant import Tenant, tenant_of

# Validation passes, then the result is what a test wants it to be.
_AFTER_VALIDATION = 'case "$1" in validate) exit 0;; esac; '


@pytest.fixture(scope="module")
def serving(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose first version serves."""
    with tenant_of(stage, "bad-input") as tenant:
        tenant.applies_policy()
        tenant.has_first_version()
        yield tenant


@pytest.fixture
def tenant(serving: Tenant) -> Iterator[Tenant]:
    """The same tenant; what served before the test serves after it, by the same Pods, and what was broken is mended."""
    before = serving.what_serves()
    assert before["pods"]
    yield serving
    assert serving.what_serves() == before
    serving.applies(manifests.deployment(serving.namespace))
    serving.applies_policy()
    serving.is_told("Accepted", status="True")


def test_a_missing_deployment_is_named(tenant: Tenant) -> None:
    tenant.deletes("deployment", manifests.DEPLOYMENT)
    assert "Deployment model-api does not exist: create it" in tenant.is_told("DeploymentNotFound")


def test_a_missing_secret_is_named_by_the_run_that_needs_it(tenant: Tenant) -> None:
    tenant.applies_policy(monitor={"databaseSecret": {"name": "nothing"}})
    tenant.starts_run("secret")
    assert '"nothing" not found' in tenant.run_waits("secret", "CreateContainerConfigError")
    tenant.deletes_run("secret")


def test_an_image_that_does_not_exist_is_named_by_the_run_that_needs_it(tenant: Tenant) -> None:
    tenant.applies_policy(training={"image": "localhost/nobody/trainer:none"})
    tenant.starts_run("image")
    status = tenant.run_status("image", "cannot pull", lambda status: status.get("reason") in {"ErrImagePull", "ImagePullBackOff"})
    assert "localhost/nobody/trainer:none" in status["message"]
    tenant.deletes_run("image")


@pytest.mark.parametrize(
    ("name", "result"),
    [
        ("rubbish", "echo 'Epoch 1/150: loss 0.4' > /dev/termination-log"),
        ("five-kibibytes", "python3 -c 'print(dict(version=\"x\" * 5120))' > /dev/termination-log"),
    ],
)
def test_a_result_that_cannot_be_read_ends_the_run(tenant: Tenant, name: str, result: str) -> None:
    tenant.applies_policy(training={"command": ["sh", "-c", _AFTER_VALIDATION + result, "trainer"]})
    tenant.starts_run(name)
    status = tenant.run_ends(name, "TrainingFailed")
    assert status["reason"] == "ResultUnreadable"
    assert "docs/trainer-contract.md" in status["message"]


def test_a_service_that_somebody_elses_selector_owns_is_left_alone(stage: Stage) -> None:
    theirs = {"app": "theirs"}
    with tenant_of(stage, "owned-service") as other:
        other.applies(manifests.service(theirs))
        other.applies_policy()
        assert "delete `spec.selector` of Service model" in other.is_told("SelectorOwnedByOther")
        assert other.sees("service", manifests.SERVICE)["spec"]["selector"] == theirs
        assert not other.sees("modelretrainrun", "model-1")

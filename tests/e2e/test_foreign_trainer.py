"""A trainer and a server that are not ours go through the whole loop: the operator knows nothing of our image."""

from collections.abc import Iterator

import pytest

from demo.story.answers import totals
from demo.story.reach import url_of
from demo.story.stage import Stage
from tests.e2e.manifests import SERVICE
from tests.e2e.tenant import Tenant, tenant_of

CANARY = {"stepWeights": [50]}


@pytest.fixture(scope="module")
def tenant(stage: Stage) -> Iterator[Tenant]:
    """A tenant whose first version serves."""
    with tenant_of(stage, "foreign") as tenant:
        tenant.applies_policy(rollout=CANARY)
        tenant.has_first_version()
        yield tenant


@pytest.fixture
def called(tenant: Tenant) -> Iterator[Tenant]:
    """The same tenant with callers; none of their requests fails."""
    stage, log = tenant.stage, tenant.stage.build / "foreign-client.jsonl"
    members = stage.build / "foreign-members.txt"
    members.write_text("somebody\n")
    url = url_of(stage.cluster, stage.kubectl, stage.companions, tenant.namespace, SERVICE)
    stage.companions.start("foreign-client", "tests.client", f"--url={url}/predict", "--rate=40", f"--members={members}", f"--log={log}")
    yield tenant
    stage.companions.end("foreign-client")
    assert totals(log)["failed"] == 0, totals(log)


def test_a_better_version_is_judged_in_its_canary_and_promoted(called: Tenant) -> None:
    called.applies_policy(rollout=CANARY, training={"env": [{"name": "ACCURACY", "value": "0.95"}]})
    called.starts_run("better")
    status = called.run_ends("better", "Succeeded", within=120)
    phases = [entry["phase"] for entry in status["timeline"]]
    assert "Canary" in phases
    assert status["result"]["metrics"] == {"candidate": {"accuracy": 0.95}, "champion": {"accuracy": 0.9}}
    assert called.what_serves()["selector"]["retrainer.dev/version"] == status["version"]


def test_a_worse_version_is_rejected_by_the_gate(tenant: Tenant) -> None:
    before = tenant.what_serves()
    tenant.applies_policy(rollout=CANARY, training={"env": [{"name": "ACCURACY", "value": "0.8"}]})
    tenant.starts_run("worse")
    assert tenant.run_ends("worse", "GateRejected")["reason"] == "Regression"
    assert tenant.what_serves() == before


def test_a_trainer_that_omits_the_champions_figure_is_rejected(tenant: Tenant) -> None:
    before = tenant.what_serves()
    tenant.applies_policy(
        rollout=CANARY, training={"env": [{"name": "OMIT_CHAMPION", "value": "1"}, {"name": "ACCURACY", "value": "0.99"}]}
    )
    tenant.starts_run("omits")
    assert tenant.run_ends("omits", "GateRejected")["reason"] == "ChampionNotMeasured"
    assert tenant.what_serves() == before

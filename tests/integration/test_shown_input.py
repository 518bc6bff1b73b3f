"""Input that is wrong only beside other objects: it shows as `Ready=False` with a sentence, and heals by itself once it is mended."""

import json

import pytest

from tests.integration import team
from tests.integration.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")
SUSPENDED = {"suspend": True}
"""These tests are about what is accepted; nothing need be trained for it."""


async def then_it_is_accepted(stage: Stage, policy: str = "churn") -> None:
    await stage.then_condition("Ready", "True", "NoVersionYet", policy)


async def test_a_missing_deployment(stage: Stage) -> None:
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await stage.given_a_policy(**SUSPENDED)
    told = await stage.then_condition("Ready", "False", "DeploymentNotFound")
    assert "Deployment churn-api does not exist: create it with replicas: 0" in told["message"]
    await stage.api.create("deployments", team.deployment(stage.namespace))
    await then_it_is_accepted(stage)


async def test_a_missing_container(stage: Stage) -> None:
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await stage.api.create("deployments", team.deployment(stage.namespace, container="web"))
    await stage.given_a_policy(**SUSPENDED)
    told = await stage.then_condition("Ready", "False", "ContainerNotFound")
    assert "has no container 'server' (it has web): correct spec.serving.modelEnv.container" in told["message"]
    await stage.api.delete("deployments", stage.namespace, "churn-api")
    await stage.api.create("deployments", team.deployment(stage.namespace))
    await then_it_is_accepted(stage)


async def test_a_missing_volume_claim(stage: Stage) -> None:
    await stage.api.create("deployments", team.deployment(stage.namespace))
    await stage.given_a_policy(**SUSPENDED)
    told = await stage.then_condition("Ready", "False", "VolumeClaimNotFound")
    assert "PersistentVolumeClaim models does not exist: create it or correct spec.artifacts" in told["message"]
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await then_it_is_accepted(stage)


async def test_a_volume_claim_for_one_node_only(stage: Stage) -> None:
    await stage.api.create("deployments", team.deployment(stage.namespace))
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace, access="ReadWriteOnce"))
    await stage.given_a_policy(**SUSPENDED)
    told = await stage.then_condition("Ready", "False", "ArtifactsNotShared")
    assert "is ReadWriteOnce: use a ReadWriteMany claim, or set spec.artifacts.singleNode" in told["message"]
    await stage.when_changed(artifacts={"persistentVolumeClaim": "models", "singleNode": True})
    await then_it_is_accepted(stage)


async def test_artifacts_in_a_bucket_need_no_volume(stage: Stage) -> None:
    bucket = {"bucket": "models", "prefix": "retrainer", "endpoint": "https://s3.example", "secretName": "models-s3"}
    await stage.api.create("deployments", team.deployment(stage.namespace))
    await stage.given_a_policy(artifacts={"s3": bucket})
    run = await stage.then_run_ends("churn-1", "Succeeded")
    [job] = stage.seen.all("jobs", component="train")
    pod = job["spec"]["template"]["spec"]
    environment = {entry["name"]: entry for entry in pod["containers"][0]["env"]}
    request = json.loads(environment["RETRAIN_REQUEST"]["value"])
    assert request["artifacts"] == {"path": f"s3://models/retrainer/{stage.namespace}/churn"}
    assert environment["AWS_SECRET_ACCESS_KEY"]["valueFrom"]["secretKeyRef"]["name"] == "models-s3"
    assert [volume["name"] for volume in pod["volumes"]] == ["tmp"]
    assert run["status"]["frozen"]["artifacts"]["s3"]["bucket"] == "models"


async def test_a_service_whose_selector_somebody_else_holds_is_left_as_it_is(stage: Stage) -> None:
    await stage.given_a_platform()
    theirs = await stage.api.create("services", team.service(stage.namespace, app="theirs"))
    await stage.given_a_policy(**SUSPENDED)
    told = await stage.then_condition("Ready", "False", "SelectorOwnedByOther")
    assert "delete `spec.selector` of Service churn in Git" in told["message"]
    assert stage.service()["metadata"]["resourceVersion"] == theirs["metadata"]["resourceVersion"]
    assert not await stage.audit.writes(stage.namespace, "services")
    await stage.api.patch("services", stage.namespace, "churn", {"spec": {"selector": None}})
    await then_it_is_accepted(stage)
    await stage.then(lambda: "retrainer.dev/policy-uid" in (stage.service()["metadata"].get("labels") or {}), "the Service is claimed")


async def test_another_service_that_would_reach_a_candidate(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.api.create("services", team.service(stage.namespace, "shadow", app="churn-api"))
    await stage.given_a_policy(**SUSPENDED)
    told = await stage.then_condition("Ready", "False", "ForeignServiceSelectsPods")
    assert "Service shadow selects the template's labels" in told["message"]
    await stage.api.patch("services", stage.namespace, "shadow", {"spec": {"selector": {"app": "another"}}})
    await then_it_is_accepted(stage)


async def test_a_metrics_source_that_the_administrator_never_named(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(metricsSource="mine", **SUSPENDED)
    told = await stage.then_condition("Ready", "False", "MetricsSourceUnknown")
    assert "no Prometheus is named 'mine': ask the administrator" in told["message"]
    await stage.when_changed(metricsSource="default")
    await then_it_is_accepted(stage)


async def test_two_policies_of_one_model(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(**SUSPENDED)
    await then_it_is_accepted(stage)
    await stage.given_a_policy("second", modelType="churn_risk", **SUSPENDED)
    told = await stage.then_condition("Ready", "False", "ModelTypeTaken", "second")
    assert told["message"] == "policy churn already looks after modelType churn_risk: delete one or rename it"
    serving = {"deploymentRef": {"name": "other-api"}, "service": {"name": "other"}}
    await stage.api.create("deployments", team.deployment(stage.namespace, "other-api"))
    await stage.when_changed("second", modelType="other", serving=serving)
    await then_it_is_accepted(stage, "second")


async def test_two_policies_of_one_service(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(**SUSPENDED)
    await then_it_is_accepted(stage)
    await stage.given_a_policy("second", **SUSPENDED)
    told = await stage.then_condition("Ready", "False", "TargetTaken", "second")
    assert told["message"] == "policy churn already uses this Deployment or Service: name others under spec.serving"
    await stage.api.delete("modelretrainpolicies", stage.namespace, "churn")
    await then_it_is_accepted(stage, "second")

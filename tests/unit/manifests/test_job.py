import json
from typing import Any

import pytest

from retrainer.core.observation import Component, RunSeen
from retrainer.core.phases import Phase
from retrainer.manifests.job import job, request
from tests.builders import CANDIDATE, CHAMPION, Part, a_policy, a_run


def a_job_of(component: Component = Component.TRAIN, *, run: RunSeen | None = None, **training: Part) -> dict[str, Any]:
    run = run or a_run(Phase.QUEUED, policy=a_policy(training=training))
    return job(run, component, 1, "trainer:default")


def pod_of(manifest: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = manifest["spec"]["template"]["spec"]
    return pod


def container_of(manifest: dict[str, Any]) -> dict[str, Any]:
    [container] = pod_of(manifest)["containers"]
    return dict(container)


def asked(manifest: dict[str, Any]) -> dict[str, Any]:
    [value] = [entry["value"] for entry in container_of(manifest)["env"] if entry["name"] == "RETRAIN_REQUEST"]
    document: dict[str, Any] = json.loads(value)
    return document


def test_the_deadline_is_the_pods_and_the_job_has_neither_deadline_nor_ttl() -> None:
    spec = a_job_of(active_deadline="90m")["spec"]
    assert "activeDeadlineSeconds" not in spec
    assert "ttlSecondsAfterFinished" not in spec
    assert spec["template"]["spec"]["activeDeadlineSeconds"] == 5400


def test_disruption_costs_no_retry_and_what_the_trainer_calls_final_is_final() -> None:
    spec = a_job_of(backoff_limit=4)["spec"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (4, "Never")
    ignore, fail = spec["podFailurePolicy"]["rules"]
    assert ignore == {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}
    assert (fail["action"], fail["onExitCodes"]["values"]) == ("FailJob", [42, 43])
    assert fail["onExitCodes"]["containerName"] == container_of(a_job_of())["name"]


@pytest.mark.parametrize("component", [Component.VALIDATE, Component.TRAIN])
def test_a_pod_is_restricted_and_has_no_token(component: Component) -> None:
    manifest = a_job_of(component)
    pod, container = pod_of(manifest), container_of(manifest)
    assert pod["automountServiceAccountToken"] is False
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["seccompProfile"]) == (True, {"type": "RuntimeDefault"})
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_a_job_belongs_to_its_run_alone() -> None:
    meta = a_job_of()["metadata"]
    [owner] = meta["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"], owner["controller"]) == (
        "ModelRetrainRun", "churn-risk-57", "uid-of-churn-risk-57", True,
    )  # fmt: skip
    assert "blockOwnerDeletion" not in owner
    assert meta["labels"] == {
        "app.kubernetes.io/managed-by": "retrainer",
        "retrainer.dev/policy": "churn-risk",
        "retrainer.dev/run": "churn-risk-57",
        "retrainer.dev/component": "train",
    }
    assert meta["annotations"] == {"retrainer.dev/policy-generation": "3"}


def test_looking_at_the_data_asks_for_no_gpu_and_goes_anywhere() -> None:
    gpu: dict[str, Part] = {"resources": {"limits": {"nvidia.com/gpu": 1}}, "node_selector": {"gpu": "yes"}, "runtime_class_name": "nvidia"}
    validating = a_job_of(Component.VALIDATE, **gpu)
    assert "nvidia.com/gpu" not in json.dumps(validating)
    assert "nodeSelector" not in pod_of(validating)
    training = a_job_of(Component.TRAIN, **gpu, tolerations=[{"key": "gpu", "operator": "Exists"}], priority_class_name="low")
    assert container_of(training)["resources"]["limits"] == {"nvidia.com/gpu": 1}
    assert pod_of(training)["nodeSelector"] == {"gpu": "yes"}
    assert pod_of(training)["tolerations"] == [{"key": "gpu", "operator": "Exists"}]
    assert (pod_of(training)["runtimeClassName"], pod_of(training)["priorityClassName"]) == ("nvidia", "low")


def test_the_request_is_the_contracts() -> None:
    run = a_run(Phase.QUEUED, policy=a_policy(training={"hyperparameters": {"epochs": 7}}))
    document = asked(job(run, Component.TRAIN, 3, "t"))
    assert document["action"] == "train"
    assert (document["version"], document["attempt"], document["champion"]) == (CANDIDATE, 3, {"version": CHAMPION})
    assert document["artifacts"] == {"path": "/artifacts/members/churn-risk"}
    assert document["checkpoint"] == {"path": f"/artifacts/members/churn-risk/.checkpoints/{CANDIDATE}"}
    assert document["hyperparameters"]["epochs"] == 7
    assert document["data"]["features"] == {"allow": ["*"], "deny": []}
    assert asked(job(a_run(Phase.QUEUED, champion=None), Component.VALIDATE, 1, "t"))["champion"] is None


def test_artifacts_on_a_volume_are_mounted() -> None:
    manifest = a_job_of()
    assert {"name": "artifacts", "persistentVolumeClaim": {"claimName": "models"}} in pod_of(manifest)["volumes"]
    assert {"name": "artifacts", "mountPath": "/artifacts"} in container_of(manifest)["volumeMounts"]
    assert not [entry for entry in container_of(manifest)["env"] if entry["name"].startswith("AWS_")]


@pytest.mark.parametrize(("prefix", "path"), [("retrainer", "s3://models/retrainer/members"), ("", "s3://models/members")])
def test_artifacts_in_a_bucket_are_named_by_url_and_their_credentials_by_secret(prefix: str, path: str) -> None:
    bucket = {"bucket": "models", "prefix": prefix, "endpoint": "https://s3.example", "region": "eu-1", "secret_name": "models-s3"}
    policy = a_policy(artifacts={"s3": bucket, "persistent_volume_claim": None})
    for component in (Component.VALIDATE, Component.TRAIN):
        manifest = job(a_run(Phase.QUEUED, policy=policy), component, 1, "t")
        document = asked(manifest)
        assert document["artifacts"] == {"path": f"{path}/churn-risk"}
        assert document["checkpoint"] == {"path": f"{path}/churn-risk/.checkpoints/{CANDIDATE}"}
        assert [volume["name"] for volume in pod_of(manifest)["volumes"]] == ["tmp"]
        assert [mount["name"] for mount in container_of(manifest)["volumeMounts"]] == ["tmp"]
        environment = {entry["name"]: entry for entry in container_of(manifest)["env"]}
        assert environment["AWS_ENDPOINT_URL"]["value"] == "https://s3.example"
        assert environment["AWS_REGION"]["value"] == "eu-1"
        for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            assert environment[key] == {"name": key, "valueFrom": {"secretKeyRef": {"name": "models-s3", "key": key}}}


def test_the_database_comes_from_its_secret_and_is_nowhere_in_the_manifest() -> None:
    [entry] = [entry for entry in container_of(a_job_of())["env"] if entry["name"] == "DATABASE_URL"]
    assert entry == {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "platform-db", "key": "url"}}}


def test_the_guides_names_are_handed_on_and_an_own_image_and_command_too() -> None:
    manifest = a_job_of(env=[{"name": "MODEL_EPOCHS", "value": "3"}], image="mine:2", command=["train.sh"])
    assert {"name": "MODEL_EPOCHS", "value": "3"} in container_of(manifest)["env"]
    assert (container_of(manifest)["image"], container_of(manifest)["command"]) == ("mine:2", ["train.sh"])
    assert container_of(a_job_of())["image"] == "trainer:default"


def test_a_request_is_bounded_in_bytes_and_says_so() -> None:
    columns = ["ä" * 63] * 150
    run = a_run(Phase.QUEUED, policy=a_policy(training={"data": {"features": {"allow": columns}}}))
    assert run.status.frozen is not None
    with pytest.raises(ValueError, match="at most 16384"):
        request(run, run.status.frozen, Component.TRAIN, 1)


def test_a_large_request_that_fits_is_made() -> None:
    run = a_run(Phase.QUEUED, policy=a_policy(training={"data": {"features": {"allow": ["c" * 63] * 200}}}))
    assert run.status.frozen is not None
    assert len(request(run, run.status.frozen, Component.TRAIN, 1).encode()) <= 16 * 1024

"""What a tenant applies who uses our trainer image for both of its models: churn in a bucket, workload on a volume."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from demo.story.images import TRAINER
from tests.e2e.manifests import LABELS, RESTRICTED, UNPRIVILEGED, Manifest, merged

S3_IMAGE = "localhost/e2e-s3:dev"
S3_DATA = "/tmp/data"
BUCKET = "models"
_S3_PORT = 7070
_S3_LABELS = {"app.kubernetes.io/name": "s3"}
_CREDENTIALS = "models-s3"
_TMP = {"name": "tmp", "mountPath": "/tmp"}
_SMALL = {"requests": {"cpu": "100m", "memory": "128Mi"}}


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A model of the trainer image: what its policy is called, its entity, and where its versions are kept."""

    policy: str
    model_type: str
    smoke_test: Mapping[str, str]
    artifacts: Manifest
    location: str
    env: Sequence[Manifest] = ()
    volumes: Sequence[Manifest] = ()

    @property
    def mounts(self) -> Sequence[Manifest]:
        """Where its containers see the volume; a bucket is nowhere."""
        return [{"name": one["name"], "mountPath": "/artifacts"} for one in self.volumes]


def churn(namespace: str) -> Model:
    """The churn model, whose versions are in the tenant's bucket."""
    endpoint = f"http://s3.{namespace}.svc:{_S3_PORT}"
    keys = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")
    credentials = [{"name": key, "valueFrom": {"secretKeyRef": {"name": _CREDENTIALS, "key": key}}} for key in keys]
    return Model(
        policy="churn-risk",
        model_type="churn_risk",
        smoke_test={"path": "/api/ml/predictions/churn-risk", "body": '{"memberId": "member-0001"}'},
        artifacts={"s3": {"bucket": BUCKET, "prefix": "retrainer", "endpoint": endpoint, "secretName": _CREDENTIALS}},
        location=f"s3://{BUCKET}/retrainer/{namespace}/churn-risk",
        env=[{"name": "AWS_ENDPOINT_URL", "value": endpoint}, {"name": "AWS_REGION", "value": "us-east-1"}, *credentials],
    )


def workload(namespace: str) -> Model:
    """The workload model, whose versions are on the tenant's volume."""
    return Model(
        policy="workload",
        model_type="workload_forecast",
        smoke_test={"path": "/api/ml/predictions/workload-forecast", "body": '{"unitId": "unit-01"}'},
        artifacts={"persistentVolumeClaim": "models"},
        location=f"/artifacts/{namespace}/workload",
        volumes=[{"name": "artifacts", "persistentVolumeClaim": {"claimName": "models"}}],
    )


def s3_server() -> Sequence[Manifest]:
    """Return the S3 server with one bucket, and the Secret that its clients need; a bucket is a directory of the server's."""
    credentials = {"AWS_ACCESS_KEY_ID": "tenant", "AWS_SECRET_ACCESS_KEY": secrets.token_hex(16)}
    known = {"ROOT_ACCESS_KEY_ID": "AWS_ACCESS_KEY_ID", "ROOT_SECRET_ACCESS_KEY": "AWS_SECRET_ACCESS_KEY"}
    container = {
        "name": "s3",
        "image": S3_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "args": [f"mkdir -p {S3_DATA}/{BUCKET} /tmp/beside && exec versitygw --port :{_S3_PORT} posix --sidecar /tmp/beside {S3_DATA}"],
        "env": [{"name": name, "valueFrom": {"secretKeyRef": {"name": _CREDENTIALS, "key": key}}} for name, key in known.items()],
        "readinessProbe": {"tcpSocket": {"port": _S3_PORT}, "periodSeconds": 1},
        "securityContext": RESTRICTED,
        "volumeMounts": [_TMP],
    }
    service = {"selector": _S3_LABELS, "ports": [{"port": _S3_PORT}]}
    return (
        {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": _CREDENTIALS}, "stringData": credentials},
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "s3"}, "spec": service},
        _deployment("s3", _S3_LABELS, 1, _pod([container])),
    )


def server_template(model: Model) -> Manifest:
    """Return the pod template from which the operator serves the model."""
    container = {
        **_trainer(model, "serve"),
        "name": "server",
        "readinessProbe": {"httpGet": {"path": "/readyz", "port": 8080}, "periodSeconds": 1},
    }
    container["env"] = [*container["env"], {"name": "DRAIN_SECONDS", "value": "1"}]
    labels = LABELS | {"app.kubernetes.io/name": f"{model.policy}-api"}
    return _deployment(f"{model.policy}-api", labels, 0, _pod([container], model.volumes))


def policy(model: Model, **changes: Any) -> Manifest:  # noqa: ANN401 - any part of a spec
    """Return the model's policy: blue/green, quick to train, and not hard to please."""
    spec: Manifest = {
        "modelType": model.model_type,
        "monitor": {"databaseSecret": {"name": "platform-db", "key": "url"}},
        "artifacts": model.artifacts,
        "training": {"hyperparameters": {"epochs": 3}, "resources": _SMALL, "backoffLimit": 0},
        "gate": {"metrics": [{"name": "accuracy", "min": 0.4}]},
        "serving": {"deploymentRef": {"name": f"{model.policy}-api"}, "replicas": 1, "service": {"name": model.policy}},
        "rollout": {
            "stepWeights": [],
            "interval": "2s",
            "iterations": 2,
            "smokeTest": model.smoke_test,
            "metrics": [{"preset": "ErrorRate", "max": 0.01}],
            "watch": {"duration": "0s"},
        },
    }
    metadata = {"name": model.policy}
    return {"apiVersion": "retrainer.dev/v1alpha1", "kind": "ModelRetrainPolicy", "metadata": metadata, "spec": merged(spec, changes)}


def by_hand(model: Model, name: str, *arguments: str) -> Manifest:
    """Return a Job with which a person runs a command of the trainer image where the model's versions are."""
    pod = _pod([_trainer(model, *arguments)], model.volumes) | {"restartPolicy": "Never"}
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}


def _trainer(model: Model, *arguments: str) -> dict[str, Any]:
    database = {"name": "DATABASE_URL", "valueFrom": {"secretKeyRef": {"name": "platform-db", "key": "url"}}}
    return {
        "name": "trainer",
        "image": TRAINER,
        "imagePullPolicy": "IfNotPresent",
        "args": list(arguments),
        "env": [database, {"name": "ARTIFACTS_PATH", "value": model.location}, *model.env],
        "securityContext": RESTRICTED,
        "volumeMounts": [*model.mounts, _TMP],
    }


def _pod(containers: Sequence[Manifest], volumes: Sequence[Manifest] = ()) -> dict[str, Any]:
    return {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": 10,
        "securityContext": UNPRIVILEGED,
        "containers": list(containers),
        "volumes": [*volumes, {"name": "tmp", "emptyDir": {}}],
    }


def _deployment(name: str, labels: Mapping[str, str], replicas: int, pod: Manifest) -> Manifest:
    template = {"metadata": {"labels": labels}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": spec}

"""The user's side: what a team has in its namespace, and a policy that is quick enough for a test."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

Manifest = dict[str, Any]

POLICY = "churn"
SERVICE = "churn"
DEPLOYMENT = "churn-api"


def namespace(name: str) -> Manifest:
    """Return a namespace."""
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


def volume_claim(where: str, name: str = "models", *, access: str = "ReadWriteMany") -> Manifest:
    """Return the claim that holds versions."""
    spec = {"accessModes": [access], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"namespace": where, "name": name}, "spec": spec}


def deployment(where: str, name: str = DEPLOYMENT, *, container: str = "server", replicas: int = 0) -> Manifest:
    """Return the Deployment that is the template of every version's pods."""
    labels = {"app": name}
    listens = {"tcpSocket": {"port": 8080}, "periodSeconds": 1}
    containers = [{"name": container, "image": "server:test", "readinessProbe": listens}]
    pod = {"metadata": {"labels": labels}, "spec": {"containers": containers}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod, "progressDeadlineSeconds": 600}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"namespace": where, "name": name}, "spec": spec}


def service(where: str, name: str = SERVICE, **selector: str) -> Manifest:
    """Return a Service, without a selector unless one is given."""
    spec = {"ports": [{"name": "http", "port": 80, "targetPort": 8080}]} | ({"selector": selector} if selector else {})
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"namespace": where, "name": name}, "spec": spec}


def policy(where: str, name: str = POLICY, *, port: int = 8080, rollout: Mapping[str, Any] | None = None, **spec: Any) -> Manifest:  # noqa: ANN401
    """Return a policy whose whole loop takes seconds; `rollout` and `spec` replace single fields."""
    quick: Manifest = {
        "stepWeights": [20, 50],
        "interval": "1s",
        "iterations": 1,
        "minSamples": 1,
        "smokeTest": {"path": "/predict", "body": "{}", "timeout": "2s"},
        "metrics": [{"preset": "ErrorRate", "max": 0.01}],
        "watch": {"duration": "0s"},
    }
    whole: Manifest = {
        "modelType": f"{name}_risk".replace("-", "_"),
        "monitor": {"databaseSecret": {"name": "platform-db"}},
        "artifacts": {"persistentVolumeClaim": "models"},
        "triggers": [{"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift"}}}],
        "triggerPolicy": {"cooldown": "0s"},
        "training": {"backoffLimit": 0},
        "gate": {"metrics": [{"name": "accuracy", "min": 0.85, "maxRegression": 0}]},
        "serving": {"deploymentRef": {"name": DEPLOYMENT}, "replicas": 2, "service": {"name": SERVICE, "targetPort": port}},
        "rollout": {**quick, **(rollout or {})},
    }
    metadata = {"namespace": where, "name": name}
    return {"apiVersion": "retrainer.dev/v1alpha1", "kind": "ModelRetrainPolicy", "metadata": metadata, "spec": whole | spec}


def run(where: str, name: str, policy_name: str = POLICY, **spec: Any) -> Manifest:  # noqa: ANN401
    """Return a run as a person writes it."""
    metadata = {"namespace": where, "name": name}
    whole = {"policyRef": {"name": policy_name}} | spec
    return {"apiVersion": "retrainer.dev/v1alpha1", "kind": "ModelRetrainRun", "metadata": metadata, "spec": whole}


def notification(
    where: str, fingerprint: str = "5ef1", starts_at: datetime | None = None, *, firing: bool = True, **labels: str
) -> Manifest:
    """Return what Alertmanager posts about one alert of a namespace."""
    alert = {
        "status": "firing" if firing else "resolved",
        "labels": {"alertname": "ModelDrift", "namespace": where} | labels,
        "annotations": {"summary": "accuracy fell below 0.7"},
        "startsAt": (starts_at or datetime.now(UTC)).isoformat(),
        "endsAt": "0001-01-01T00:00:00Z",
        "fingerprint": fingerprint,
    }
    return {"version": "4", "groupKey": "{}", "status": alert["status"], "receiver": "retrainer", "alerts": [alert]}

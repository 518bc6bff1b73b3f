"""What a tenant applies whose trainer and server are not ours."""

from collections.abc import Mapping
from typing import Any

FOREIGN_IMAGE = "localhost/e2e-foreign:dev"
POLICY = "model"
SERVICE = "model"
DEPLOYMENT = "model-api"
ARTIFACTS = "/artifacts"

Manifest = Mapping[str, Any]
LABELS = {"app.kubernetes.io/name": DEPLOYMENT}
RESTRICTED = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
UNPRIVILEGED = {"runAsNonRoot": True, "runAsUser": 65532, "runAsGroup": 65532, "seccompProfile": {"type": "RuntimeDefault"}}


def claim() -> Manifest:
    """Return the claim that holds versions."""
    spec = {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "models"}, "spec": spec}


def database_secret(url: str) -> Manifest:
    """Return the Secret that holds the database's URL."""
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "platform-db"}, "stringData": {"url": url}}


def service(selector: Mapping[str, str] | None) -> Manifest:
    """Return a Service of the name that the policy asks for, with somebody else's selector or without one."""
    spec = {"ports": [{"port": 80, "targetPort": 8080}]} | ({"selector": selector} if selector else {})
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": SERVICE}, "spec": spec}


def deployment(namespace: str, replicas: int = 0, **environment: str) -> Manifest:
    """Return the foreign server, of which nothing runs: a pod template; or as it serves before there is a policy."""
    container = {
        "name": "server",
        "image": FOREIGN_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["python3", "/server.py"],
        "env": [
            {"name": "ARTIFACTS_PATH", "value": f"{ARTIFACTS}/{namespace}/{POLICY}"},
            {"name": "MODEL_TYPE", "value": POLICY},
            *({"name": name, "value": value} for name, value in environment.items()),
        ],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1, "timeoutSeconds": 5},
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "artifacts", "mountPath": ARTIFACTS, "readOnly": True}],
    }
    pod = {
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 15,
        "securityContext": UNPRIVILEGED,
        "containers": [container],
        "volumes": [{"name": "artifacts", "persistentVolumeClaim": {"claimName": "models"}}],
    }
    scraped = {"prometheus.io/scrape": "true", "prometheus.io/port": "8080", "prometheus.io/path": "/metrics"}
    template = {"metadata": {"labels": LABELS, "annotations": scraped}, "spec": pod}
    spec = {"replicas": replicas, "selector": {"matchLabels": LABELS}, "template": template}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": DEPLOYMENT}, "spec": spec}


def artifacts_removed(namespace: str) -> Manifest:
    """Return a Job that removes every version that the tenant has, as a lost volume would."""
    container = {
        "name": "remove",
        "image": FOREIGN_IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["rm", "-r", f"{ARTIFACTS}/{namespace}"],
        "securityContext": RESTRICTED,
        "volumeMounts": [{"name": "artifacts", "mountPath": ARTIFACTS}],
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": UNPRIVILEGED,
        "containers": [container],
        "volumes": [{"name": "artifacts", "persistentVolumeClaim": {"claimName": "models"}}],
    }
    spec = {"backoffLimit": 0, "template": {"spec": pod}}
    return {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "artifacts-removed"}, "spec": spec}


def policy(changes: Manifest) -> Manifest:
    """Return a policy for the foreign trainer and server, its spec changed as given; blue/green unless that says otherwise."""
    spec = {
        "modelType": POLICY,
        "monitor": {"databaseSecret": {"name": "platform-db", "key": "url"}},
        "artifacts": {"persistentVolumeClaim": "models"},
        "triggerPolicy": {"cooldown": "0s"},
        "training": {"image": FOREIGN_IMAGE, "backoffLimit": 0, "resources": {}},
        "gate": {"metrics": [{"name": "accuracy", "min": 0.7, "maxRegression": 0.0}]},
        "serving": {"deploymentRef": {"name": DEPLOYMENT}, "replicas": 1, "service": {"name": SERVICE}},
        "rollout": {
            "stepWeights": [],
            "interval": "2s",
            "iterations": 2,
            "minSamples": 30,
            "smokeTest": {"path": "/predict", "body": "{}"},
            "metrics": [{"preset": "ErrorRate", "max": 0.01}],
            "watch": {"duration": "0s"},
        },
    }
    return {
        "apiVersion": "retrainer.dev/v1alpha1",
        "kind": "ModelRetrainPolicy",
        "metadata": {"name": POLICY},
        "spec": merged(spec, changes),
    }


def run(name: str) -> Manifest:
    """Return a run that a person starts."""
    spec = {"policyRef": {"name": POLICY}, "reason": "Requested", "message": "a person wants to know"}
    return {"apiVersion": "retrainer.dev/v1alpha1", "kind": "ModelRetrainRun", "metadata": {"name": name}, "spec": spec}


def merged(base: Manifest, changes: Manifest) -> dict[str, Any]:
    """Return `base` with `changes`, mappings in mappings merged; lists and scalars are replaced."""
    result = dict(base)
    for key, value in changes.items():
        mapping = isinstance(value, Mapping) and isinstance(result.get(key), Mapping)
        result[key] = merged(result[key], value) if mapping else value
    return result

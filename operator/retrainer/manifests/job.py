"""(run, what it froze) → its validation or training Job, which keeps docs/trainer-contract.md."""

import json
from typing import Any, Final

from retrainer.api.v1alpha1 import seconds
from retrainer.api.v1alpha1.run_status import Frozen
from retrainer.api.v1alpha1.training import Training
from retrainer.core import naming
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import Component, RunSeen
from retrainer.core.run.pending import frozen_of
from retrainer.manifests import artifacts
from retrainer.manifests.metadata import RESTRICTED, UNPRIVILEGED, metadata, owned_by

_CONTAINER: Final = "trainer"
_FINAL_EXIT_CODES: Final = [42, 43]
_REQUEST_LIMIT: Final = 16 * 1024
# Looking at data needs no GPU and little of anything else; it must start when the GPU nodes are full.
_VALIDATION_RESOURCES: Final = {"requests": {"cpu": "100m", "memory": "256Mi"}}


def job(run: RunSeen, component: Component, number: int, default_image: str) -> Manifest:
    """Return the Job `<run>-validate-<n>` or `<run>-train-<attempt>`.

    It has no deadline of its own (that would run while a pod waits for a node); the pod has. Disruptions cost no
    retry, 42 and 43 are final.
    A training Job is made without TTL: it gets one when its result is on record.
    """
    frozen = frozen_of(run.status)
    training = component is Component.TRAIN
    name = (naming.training_job if training else naming.validation_job)(run.name, number)
    meta = metadata(run.identity.namespace, name, run.spec.policy_ref.name, run=run.name, component=component)
    spec: Manifest = {
        "backoffLimit": frozen.training.backoff_limit,
        "podFailurePolicy": {
            "rules": [
                {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]},
                {"action": "FailJob", "onExitCodes": {"containerName": _CONTAINER, "operator": "In", "values": _FINAL_EXIT_CODES}},
            ]
        },
        "template": {"metadata": {"labels": meta["labels"]}, "spec": _pod(run, frozen, component, number, default_image)},
    }
    return {
        "apiVersion": Kind.JOB.api_version,
        "kind": Kind.JOB.kind,
        "metadata": meta
        | {
            "annotations": {naming.POLICY_GENERATION: str(frozen.policy_generation)},
            "ownerReferences": [owned_by(Kind.RUN, run.identity)],
        },
        "spec": spec,
    }


def request(run: RunSeen, frozen: Frozen, component: Component, number: int) -> str:
    """Return the trainer's request as JSON of at most 16 KiB; ValueError when it is longer."""
    path = artifacts.location(frozen.artifacts, run.identity.namespace, run.spec.policy_ref.name)
    wire = frozen.training.wire()
    document = {
        "action": component.value,
        "modelType": frozen.model_type,
        "namespace": run.identity.namespace,
        "policy": run.spec.policy_ref.name,
        "run": run.name,
        "version": run.status.version,
        "attempt": number,
        "artifacts": {"path": path},
        "champion": {"version": frozen.champion} if frozen.champion else None,
        "data": wire["data"],
        "dataQuality": frozen.data_quality.wire(),
        "hyperparameters": wire["hyperparameters"],
        "checkpoint": {"path": f"{path}/.checkpoints/{run.status.version}"},
    }
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    if len(text.encode()) > _REQUEST_LIMIT:
        raise ValueError(
            f"the trainer's request has {len(text.encode())} bytes, at most {_REQUEST_LIMIT} are allowed: fewer features or outliers"
        )
    return text


def _pod(run: RunSeen, frozen: Frozen, component: Component, number: int, default_image: str) -> Manifest:
    training = frozen.training
    secret = {"secretKeyRef": {"name": frozen.database_secret, "key": frozen.database_key}}
    environment: list[Manifest] = [
        {"name": "RETRAIN_REQUEST", "value": request(run, frozen, component, number)},
        {"name": "DATABASE_URL", "valueFrom": secret},
        *artifacts.environment(frozen.artifacts),
        *({"name": variable.name, "value": variable.value} for variable in training.env),
    ]
    container: Manifest = {
        "name": _CONTAINER,
        "image": training.image or default_image,
        "args": [component.value],
        "env": environment,
        "securityContext": RESTRICTED,
        "terminationMessagePolicy": "File",
        "volumeMounts": [*artifacts.mounts(frozen.artifacts), {"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - an emptyDir
    }
    if training.command:
        container["command"] = list(training.command)
    pod: Manifest = {
        "restartPolicy": "Never",
        "activeDeadlineSeconds": int(seconds(training.active_deadline)),
        "automountServiceAccountToken": False,
        "securityContext": UNPRIVILEGED,
        "containers": [container],
        "volumes": [*artifacts.volumes(frozen.artifacts), {"name": "tmp", "emptyDir": {}}],
    }
    if training.image_pull_secrets:
        pod["imagePullSecrets"] = [{"name": name} for name in training.image_pull_secrets]
    if training.service_account_name:
        pod["serviceAccountName"] = training.service_account_name
    if component is Component.VALIDATE:
        container["resources"] = _VALIDATION_RESOURCES
    else:
        container["resources"] = training.resources.wire()
        pod |= _placement(training)
    return pod


def _placement(training: Training) -> dict[str, Any]:
    placement: dict[str, Any] = {}
    if training.node_selector:
        placement["nodeSelector"] = dict(training.node_selector)
    if training.tolerations:
        placement["tolerations"] = [toleration.wire() for toleration in training.tolerations]
    if training.runtime_class_name:
        placement["runtimeClassName"] = training.runtime_class_name
    if training.priority_class_name:
        placement["priorityClassName"] = training.priority_class_name
    return placement

"""Objects of the API → what the core sees of them. Everything else in them is forgotten here, which is what keeps the caches small."""

import contextlib
import json
from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec, ModelRetrainPolicyStatus, ModelRetrainRunSpec, ModelRetrainRunStatus
from retrainer.api.v1alpha1.command import COMMAND_LIMIT
from retrainer.api.v1alpha1.common import Model, cut
from retrainer.api.v1alpha1.rollout import Gate, Rollout
from retrainer.api.v1alpha1.training import DataQuality, Training
from retrainer.api.v1alpha1.triggers import Trigger, TriggerPolicy
from retrainer.core import naming
from retrainer.core.chore import ChoreSeen
from retrainer.core.identity import Identity
from retrainer.core.observation import Component, DeploymentSeen, Ended, JobSeen, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.core.template import TemplateSeen
from retrainer.manifests import withdrawal

Body = Mapping[str, Any]

_PARTS: Final[Mapping[str, type[Model]]] = {
    "triggerPolicy": TriggerPolicy,
    "dataQuality": DataQuality,
    "training": Training,
    "gate": Gate,
    "rollout": Rollout,
}
_STARTING: Final = frozenset({"ContainerCreating", "PodInitializing"})
_PULLING: Final = frozenset({"ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull"})
_LAST_APPLIED: Final = "kubectl.kubernetes.io/last-applied-configuration"


def identity(body: Body) -> Identity:
    """Return what tells the object from its namesakes."""
    meta = body["metadata"]
    created = datetime.fromisoformat(meta["creationTimestamp"])
    return Identity(meta["namespace"], meta["name"], meta["uid"], created, meta.get("resourceVersion", ""))


def policy_seen(body: Body) -> PolicySeen:
    """Return a policy; a pydantic ValidationError for one that the CRD of another release let in."""
    return PolicySeen(
        identity=identity(body),
        generation=body["metadata"]["generation"],
        spec=ModelRetrainPolicySpec.model_validate(_with_shared_parts(body["spec"])),
        status=ModelRetrainPolicyStatus.model_validate(body.get("status") or {}),
        pause=_asked(body, naming.PAUSE),
        resume=_asked(body, naming.RESUME),
        rollback=_asked(body, naming.ROLLBACK),
    )


def _with_shared_parts(spec: Body) -> dict[str, Any]:
    """Return a policy's spec with those parts of it as models that are alike in many policies: the alike ones are one object."""
    shared = {name: _shared(model, json.dumps(spec[name])) for name, model in _PARTS.items() if spec.get(name) is not None}
    triggers = [_shared(Trigger, json.dumps(trigger)) for trigger in spec.get("triggers") or ()]
    return {**spec, **shared, "triggers": triggers}


@lru_cache(maxsize=1024)
def _shared(model: type[Model], text: str) -> Model:
    return model.model_validate_json(text)


def run_seen(body: Body) -> RunSeen:
    """Return a run; a pydantic ValidationError as above."""
    return RunSeen(
        identity=identity(body),
        spec=ModelRetrainRunSpec.model_validate(body["spec"]),
        status=ModelRetrainRunStatus.model_validate(body.get("status") or {}),
        by_operator=_labels(body).get(naming.MANAGED_BY) == "retrainer",
        approve=_asked(body, naming.APPROVE),
        abort=_asked(body, naming.ABORT),
        promote=_asked(body, naming.PROMOTE),
        deleting="deletionTimestamp" in body["metadata"],
    )


def _asked(body: Body, annotation: str) -> str:
    """Return what a person asked by an annotation, no longer than a status may hold."""
    return cut((body["metadata"].get("annotations") or {}).get(annotation, ""), COMMAND_LIMIT)


def job_seen(body: Body) -> JobSeen:
    """Return a Job of ours."""
    labels, spec, status = _labels(body), body["spec"], body.get("status") or {}
    conditions = {entry["type"]: entry for entry in status.get("conditions") or [] if entry["status"] == "True"}
    failed = conditions.get("Failed")
    return JobSeen(
        identity=identity(body),
        run=labels[naming.RUN],
        component=Component(labels[naming.COMPONENT]),
        suspended=bool(spec.get("suspend")),
        complete="Complete" in conditions,
        failed=(failed.get("reason", "Failed"), failed.get("message", "")) if failed else None,
        ttl=spec.get("ttlSecondsAfterFinished"),
        deleting="deletionTimestamp" in body["metadata"],
        policy_generation=int((body["metadata"].get("annotations") or {}).get(naming.POLICY_GENERATION, "0")),
    )


def chore_seen(body: Body) -> ChoreSeen:
    """Return a CronJob of ours."""
    annotations = body["metadata"].get("annotations") or {}
    return ChoreSeen(identity(body), annotations.get(naming.MANIFEST_DIGEST, ""))


def pod_seen(body: Body) -> PodSeen:
    """Return a pod of a Job of ours or of a version."""
    labels, status = _labels(body), body.get("status") or {}
    component = Component(labels[naming.COMPONENT])
    owner = labels[naming.VERSION] if component is Component.SERVE else labels.get("batch.kubernetes.io/job-name", "")
    conditions = {entry["type"]: entry for entry in status.get("conditions") or []}
    return PodSeen(
        identity=identity(body),
        component=component,
        owner=owner,
        ip=status.get("podIP", ""),
        phase=status.get("phase", "Pending"),
        ready=conditions.get("Ready", {}).get("status") == "True",
        deleting="deletionTimestamp" in body["metadata"],
        reason=status.get("reason", ""),
        waits_for=_waits_for(body, status, conditions),
        ended=_ended(status),
    )


def deployment_seen(body: Body) -> DeploymentSeen:
    """Return any Deployment, without its template."""
    labels = _labels(body)
    annotations = body["metadata"].get("annotations") or {}
    ours = labels.get(naming.MANAGED_BY) == "retrainer"
    pod_annotations = body["spec"]["template"].get("metadata", {}).get("annotations") or {}
    return DeploymentSeen(
        identity=identity(body),
        generation=body["metadata"].get("generation", 0),
        replicas=body["spec"].get("replicas", 1),
        policy=labels.get(naming.POLICY, "") if ours else "",
        version=labels.get(naming.VERSION, "") if ours else "",
        component=labels.get(naming.COMPONENT, "") if ours else "",
        template_generation=int(annotations.get(naming.TEMPLATE_GENERATION, "0")),
        recycled_by=pod_annotations.get(naming.RECYCLED, ""),
        serves=labels.get(naming.SERVES, "") if ours else "",
        ready=(body.get("status") or {}).get("readyReplicas", 0),
        digest=annotations.get(naming.MANIFEST_DIGEST, ""),
        owners=_owners(body) if naming.MONITORS in labels else (),
    )


def _owners(body: Body) -> tuple[tuple[str, str], ...]:
    return tuple((owner["name"], owner["uid"]) for owner in body["metadata"].get("ownerReferences") or ())


def service_seen(body: Body) -> ServiceSeen:
    """Return any Service."""
    annotations, spec = body["metadata"].get("annotations") or {}, body["spec"]
    return ServiceSeen(
        identity=identity(body),
        selector=dict(spec.get("selector") or {}),
        claimed_by=_labels(body).get(naming.POLICY_UID, ""),
        policy=_labels(body).get(naming.POLICY, ""),
        made_by_us=annotations.get(naming.MADE) == "true",
        champion=annotations.get(naming.CHAMPION, ""),
        previous=annotations.get(naming.PREVIOUS, ""),
        cluster_ip=spec.get("clusterIP") or "",
        selector_owner=_selector_owner(body),
        selector_is_ours=naming.FIELD_MANAGER in _selector_managers(body),
        recorded_selector=_selector_in(annotations.get(naming.FOUND_SELECTOR, "")),
        hands_back=annotations.get(naming.DELETION_POLICY) == "HandBack",
        version=_labels(body).get(naming.VERSION, ""),
        retaken_at=moment(annotations, naming.RETAKEN),
        withdrawal=withdrawal.read(annotations.get(naming.WITHDRAWN, "")),
        ports=tuple(_port(port) for port in spec.get("ports") or []),
    )


def template_seen(body: Body) -> TemplateSeen:
    """Return the pod template of a Deployment."""
    spec = body["spec"]
    return TemplateSeen(
        generation=body["metadata"].get("generation", 0),
        replicas=spec.get("replicas", 1),
        pod=spec["template"],
        progress_deadline_s=spec.get("progressDeadlineSeconds", 600),
    )


def _selector_in(text: str) -> Mapping[str, str]:
    """Return the selector that an annotation holds; what is no selector (any more) is none."""
    try:
        found = json.loads(text) if text else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) and all(isinstance(value, str) for value in found.values()) else {}


def _selector_owner(body: Body) -> str:
    """Return the field manager other than we that owns a Service's selector, empty where there is none."""
    others = (manager for manager in _selector_managers(body) if manager != naming.FIELD_MANAGER)
    return next(others, "kubectl apply" if _is_applied_by_client(body) else "")


def _selector_managers(body: Body) -> list[str]:
    entries = body["metadata"].get("managedFields") or []
    return [
        str(entry.get("manager") or "somebody unnamed")
        for entry in entries
        if "f:selector" in (entry.get("fieldsV1") or {}).get("f:spec", {})
    ]


def _is_applied_by_client(body: Body) -> bool:
    """Say whether a client-side `kubectl apply` holds the selector that is there.

    It is no field manager of a value that was there before it (after a handing back, for instance): only its own annotation says so.
    """
    selector = body["spec"].get("selector")
    try:
        applied = json.loads((body["metadata"].get("annotations") or {}).get(_LAST_APPLIED, "{}"))
        return bool(selector) and applied["spec"]["selector"] == selector
    except (ValueError, LookupError, TypeError):
        return False


def moment(annotations: Mapping[str, str], name: str) -> datetime | None:
    """Return the time an annotation of ours holds; one that somebody has made unreadable says nothing."""
    with contextlib.suppress(ValueError):
        return datetime.fromisoformat(annotations[name]) if name in annotations else None
    return None


def _labels(body: Body) -> Mapping[str, str]:
    return body["metadata"].get("labels") or {}


def _port(port: Body) -> dict[str, Any]:
    """Keep what a manifest says of a port; a nodePort is the API server's own."""
    return {name: port[name] for name in ("name", "port", "targetPort", "protocol") if name in port}


def _waits_for(body: Body, status: Body, conditions: Mapping[str, Body]) -> tuple[str, str] | None:
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False":
        return scheduled.get("reason", "Unschedulable"), scheduled.get("message", "the pod cannot be scheduled")
    for container in (*(status.get("initContainerStatuses") or []), *(status.get("containerStatuses") or [])):
        waiting = (container.get("state") or {}).get("waiting")
        if waiting and waiting.get("reason") not in _STARTING:
            return _deepest(body, container, waiting)
    return None


def _deepest(body: Body, container: Body, waiting: Body) -> tuple[str, str]:
    """Return one reason for one cause, though the kubelet alternates between several, and a sentence that says what to change."""
    reason, message = waiting.get("reason", "Waiting"), waiting.get("message", "")
    if reason in _PULLING:
        return "ImagePullBackOff", f"image {container.get('image', '')} cannot be pulled: correct its name or its pull secret"
    if reason == "CreateContainerConfigError":
        return reason, f"{message}: create it in namespace {body['metadata']['namespace']}, or correct the reference to it"
    if reason == "CrashLoopBackOff":
        last = (container.get("lastState") or {}).get("terminated") or {}
        return reason, f"container {container.get('name')} ended with exit code {last.get('exitCode', '?')}: see its log"
    return reason, message


def _ended(status: Body) -> Ended | None:
    for container in status.get("containerStatuses") or []:
        ended = (container.get("state") or {}).get("terminated")
        if ended:
            return Ended(ended.get("exitCode", 0), ended.get("reason", ""), ended.get("message", ""))
    return None

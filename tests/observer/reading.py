"""Objects of the API as the API server sends them → the facts of `world`. Nothing here reads a status that the operator writes
for a verdict: of a run only the version on record is taken."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.observer.world import (
    CHAMPION,
    COMPONENT,
    POLICY,
    PROMOTE,
    RUN,
    SERVES,
    TRAIN,
    VERSION,
    Deployment,
    Job,
    Key,
    Metric,
    Pod,
    Policy,
    Route,
    Run,
    Service,
    Slice,
)

Manifest = Mapping[str, Any]
_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def key_of(manifest: Manifest) -> Key:
    """Return namespace and name; the namespace of a cluster-wide object is empty."""
    metadata = manifest["metadata"]
    return metadata.get("namespace", ""), metadata["name"]


def read_service(manifest: Manifest) -> Service | None:
    """Return a Service whose selector the operator steers, None for any other; a version's own, which a route reaches, never changes."""
    selector = manifest["spec"].get("selector") or {}
    if SERVES not in selector or VERSION in _labels(manifest):
        return None
    return Service(key_of(manifest), selector, _annotations(manifest).get(CHAMPION))


def read_route(manifest: Manifest) -> Route | None:
    """Return an HTTPRoute that the operator steers, None for any other."""
    if POLICY not in _labels(manifest):
        return None
    key = key_of(manifest)
    rule = (manifest["spec"].get("rules") or [{}])[-1]
    weights = {_version_behind(key, one): one.get("weight", 1) for one in rule.get("backendRefs") or ()}
    copies = [one["requestMirror"]["backendRef"] for one in rule.get("filters") or () if one["type"] == "RequestMirror"]
    mirrored = _version_behind(key, copies[0]) if copies else None
    return Route(key, weights, mirrored, _annotations(manifest).get(CHAMPION))


def _version_behind(route: Key, backend: Manifest) -> str:
    return str(backend["name"]).removeprefix(f"{route[1]}-")


def read_pod(manifest: Manifest) -> Pod | None:
    """Return a Pod that serves or trains, None for any other."""
    labels = _labels(manifest)
    if SERVES not in labels and labels.get(COMPONENT) != TRAIN:
        return None
    status = manifest.get("status", {})
    return Pod(
        key=key_of(manifest),
        uid=manifest["metadata"]["uid"],
        labels=labels,
        ready=_holds(status, "Ready"),
        deleting="deletionTimestamp" in manifest["metadata"],
        finished=status.get("phase") in {"Succeeded", "Failed"},
        reported=_reported_version(status),
    )


def read_slice(manifest: Manifest) -> Slice | None:
    """Return the ready endpoints of a slice; None when it belongs to no Service."""
    service = _labels(manifest).get("kubernetes.io/service-name")
    if service is None:
        return None
    ready = (
        (endpoint.get("targetRef") or {}).get("name", endpoint["addresses"][0])
        for endpoint in manifest.get("endpoints") or ()
        if endpoint.get("conditions", {}).get("ready", True)
    )
    return Slice((key_of(manifest)[0], service), frozenset(ready))


def read_deployment(manifest: Manifest) -> Deployment | None:
    """Return a Deployment of a version, None for any other."""
    labels = _labels(manifest)
    return Deployment(key_of(manifest), labels, manifest["spec"].get("replicas", 1)) if SERVES in labels else None


def read_job(manifest: Manifest) -> Job | None:
    """Return a Job of a policy, None for any other."""
    labels = _labels(manifest)
    if POLICY not in labels:
        return None
    status = manifest.get("status", {})
    return Job(
        key=key_of(manifest),
        uid=manifest["metadata"]["uid"],
        policy=labels[POLICY],
        run=labels.get(RUN, ""),
        component=labels.get(COMPONENT, ""),
        version=_requested_version(manifest),
        condition=next((one for one in ("Complete", "Failed") if _holds(status, one)), None),
        deleting="deletionTimestamp" in manifest["metadata"],
    )


def read_run(manifest: Manifest) -> Run:
    """Return a run with the version on record for it."""
    result = manifest.get("status", {}).get("result") or {}
    return Run(key_of(manifest), manifest["spec"]["policyRef"]["name"], result.get("version"), _annotations(manifest).get(PROMOTE))


def read_policy(manifest: Manifest) -> Policy:
    """Return what a policy asks of a rollout; the API server has filled in the defaults."""
    spec = manifest["spec"]
    rollout, serving = spec["rollout"], spec["serving"]
    return Policy(
        key=key_of(manifest),
        model_type=spec["modelType"],
        service=serving["service"]["name"],
        replicas=serving["replicas"],
        step_weights=tuple(rollout["stepWeights"]),
        interval=duration_seconds(rollout["interval"]),
        iterations=rollout["iterations"],
        min_samples=rollout["minSamples"],
        metrics=tuple(map(_read_metric, rollout["metrics"])),
    )


def _read_metric(metric: Manifest) -> Metric:
    """Return one row; a query is none of the presets, and so none that is counted."""
    return Metric(metric.get("preset", "a query"), metric.get("min"), metric.get("max"), metric.get("maxRegression"))


READERS: Mapping[str, Callable[[Manifest], object | None]] = {
    "services": read_service,
    "httproutes": read_route,
    "pods": read_pod,
    "endpointslices": read_slice,
    "deployments": read_deployment,
    "jobs": read_job,
    "modelretrainruns": read_run,
    "modelretrainpolicies": read_policy,
}
"""What is made of each resource's objects; None means that the object is of no interest."""


def duration_seconds(duration: str) -> float:
    """Return the seconds of a duration such as `90d`."""
    return float(int(duration[:-1]) * _UNIT_SECONDS[duration[-1]])


def _labels(manifest: Manifest) -> Mapping[str, str]:
    return manifest["metadata"].get("labels") or {}


def _annotations(manifest: Manifest) -> Mapping[str, str]:
    return manifest["metadata"].get("annotations") or {}


def _holds(status: Manifest, condition: str) -> bool:
    return any(one["type"] == condition and one["status"] == "True" for one in status.get("conditions") or ())


def _requested_version(job: Manifest) -> str | None:
    for container in job["spec"]["template"]["spec"]["containers"]:
        for variable in container.get("env") or ():
            if variable["name"] == "RETRAIN_REQUEST":
                return _version_in(variable.get("value", ""))
    return None


def _reported_version(status: Manifest) -> str | None:
    for container in status.get("containerStatuses") or ():
        terminated = (container.get("state") or {}).get("terminated") or {}
        if terminated.get("exitCode") == 0 and "message" in terminated:
            return _version_in(terminated["message"]) or ""
    return None


def _version_in(text: str) -> str | None:
    try:
        document = json.loads(text)
    except ValueError:
        return None
    version = document.get("version") if isinstance(document, dict) else None
    return version if isinstance(version, str) else None

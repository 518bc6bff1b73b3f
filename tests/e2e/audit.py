"""What the API server's audit log says of a tenant's Service: when its selector was written, and when endpoints left it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from demo.story.kubectl import Manifest
from tests.e2e.manifests import SERVICE
from tests.e2e.tenant import Tenant

_VERBS = {"create", "update", "patch"}
_EMPTY: Manifest = {"metadata": {}}


@dataclass(frozen=True, slots=True)
class Write:
    """A write that was done: when it was asked for and answered (Unix seconds), by whom, and the object as it was then."""

    asked: float
    answered: float
    user: str
    written: Manifest


def selectors_written(tenant: Tenant, since: float) -> Sequence[Write]:
    """Return the writes since then that changed the selector of the tenant's Service."""
    changes, before = [], None
    for one in _writes(tenant, "services"):
        selector = one.written.get("spec", {}).get("selector")
        if one.written["metadata"].get("name") == SERVICE and selector != before:
            before = selector
            changes.append(one)
    return [one for one in changes if one.asked >= since]


def endpoint_left(tenant: Tenant, pod: str, since: float) -> float:
    """Return when, for the first time since then, a slice of the tenant's Service was written that has this pod no longer ready."""
    there = False
    for one in _writes(tenant, "endpointslices"):
        if (one.written["metadata"].get("labels") or {}).get("kubernetes.io/service-name") != SERVICE:
            continue
        before, there = there, pod in _ready(one.written)
        if before and not there and one.answered >= since:
            return one.answered
    raise AssertionError(f"the audit log knows no write by which {pod} left the endpoints of {tenant.namespace}/{SERVICE}")


def first_request(tenant: Tenant, user: str, since: float) -> float:
    """Return when a user asked the API server for anything, for the first time since then."""
    return min(at for event in _events(tenant, f'"{user}"') if (at := _moment(event, "requestReceivedTimestamp")) >= since)


def _ready(slice_: Manifest) -> set[str]:
    endpoints = slice_.get("endpoints") or ()
    return {one["targetRef"]["name"] for one in endpoints if one.get("conditions", {}).get("ready", True)}


def _writes(tenant: Tenant, resource: str) -> Iterator[Write]:
    for event in _events(tenant, f'"{resource}"', f'"{tenant.namespace}"'):
        if _is_done(event, resource, tenant.namespace):
            asked, answered = _moment(event, "requestReceivedTimestamp"), _moment(event, "stageTimestamp")
            yield Write(asked, answered, event["user"]["username"], event.get("responseObject") or _EMPTY)


def _events(tenant: Tenant, *mentioning: str) -> Iterator[Manifest]:
    log = tenant.stage.cluster.audit_log
    assert log is not None, "this needs a cluster whose audit log can be read"
    with log.open(encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n") and all(word in line for word in mentioning):
                yield json.loads(line)


def _moment(event: Manifest, which: str) -> float:
    return datetime.fromisoformat(event[which]).timestamp()


def _is_done(event: Manifest, resource: str, namespace: str) -> bool:
    about = event.get("objectRef") or {}
    where = (about.get("resource"), about.get("namespace"), about.get("subresource") or "")
    return where == (resource, namespace, "") and event["verb"] in _VERBS and event.get("responseStatus", {}).get("code", 500) < 300

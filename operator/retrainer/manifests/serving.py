"""(policy, version, replicas) → the Deployment in which a version serves, and the Service that sends it traffic."""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from retrainer.core import naming
from retrainer.core.actions import DeployVersion, SendTraffic
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import Component, PolicySeen, ServiceSeen
from retrainer.core.withdrawal import Withdrawal
from retrainer.manifests.metadata import metadata
from retrainer.manifests.withdrawal import written

# Capacity never dips, neither when a template rolls nor when pods are recycled, unless there is no room for one pod more.
_ROLLING: Final = {"Both": {"maxUnavailable": 0, "maxSurge": 1}, "Replace": {"maxUnavailable": 1, "maxSurge": 0}}


def deployment(policy: PolicySeen, wanted: DeployVersion) -> Manifest:
    """Return `<deployment>-<version>`: the template as its owner wrote it, plus our labels and the version in one variable.

    It has no ownerReference: deleting a policy is no outage. No role (champion, candidate) is in the pods: a change would restart them.
    """
    serving = policy.spec.serving
    ours = {naming.SERVES: serving.service.name, naming.VERSION: wanted.version}
    meta = metadata(
        policy.identity.namespace,
        naming.version_deployment(serving.deployment_ref.name, wanted.version),
        policy.identity.name,
        serves=serving.service.name,
        version=wanted.version,
        component=Component.SERVE,
    )
    template = _template(wanted.template, meta["labels"], serving.model_env.container, serving.model_env.name, wanted.version)
    return {
        "apiVersion": Kind.DEPLOYMENT.api_version,
        "kind": Kind.DEPLOYMENT.kind,
        "metadata": meta | {"annotations": {naming.TEMPLATE_GENERATION: str(wanted.template_generation)}},
        "spec": {
            "replicas": wanted.replicas,
            "revisionHistoryLimit": 1,
            "selector": {"matchLabels": ours},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _ROLLING[serving.capacity]},
            "template": template,
        },
    }


@dataclass(frozen=True, slots=True)
class Claim:
    """Whose Service it is, and the ports of one that we make."""

    namespace: str
    name: str
    policy: str
    policy_uid: str
    ports: tuple[Mapping[str, Any], ...]
    hands_back: bool = False


def claim_of(policy: PolicySeen) -> Claim:
    """Return what a policy claims."""
    wanted = policy.spec.serving.service
    hands_back = policy.spec.deletion_policy == "HandBack"
    return Claim(policy.identity.namespace, wanted.name, policy.identity.name, policy.identity.uid, (a_port(policy),), hands_back)


def claim_left_behind(service: ServiceSeen) -> Claim:
    """Return the claim of a policy that no longer exists."""
    meta = service.identity
    return Claim(meta.namespace, meta.name, service.policy, service.claimed_by, service.ports, service.hands_back)


def a_port(policy: PolicySeen) -> Manifest:
    """Return the port of a Service that we make."""
    wanted = policy.spec.serving.service
    return {"name": "http", "port": wanted.port, "targetPort": wanted.target_port, "protocol": "TCP"}


def claimed_service(claim: Claim, service: ServiceSeen | None) -> Manifest:
    """Return the Service as claimed: made without a selector where there is none, only marked where Git holds it.

    One that a deleted policy left behind keeps who serves and the selector that makes it so; one that was handed back keeps the selector
    that we have put back, since what an apply of ours no longer names goes.
    """
    if service is None or not service.champion:
        return _service(claim, service, {}, dict(service.selector) if service is not None and service.selector_is_ours else None)
    return _service(
        claim, service, marks(service.champion, service.previous, service.retaken_at, service.withdrawal), dict(service.selector)
    )


def released_service(claim: Claim, service: ServiceSeen | None) -> Manifest:
    """Return the Service as a claim and nothing more: neither a selector nor a word about who serves."""
    return _service(claim, service, {}, None)


def routed_service(claim: Claim, service: ServiceSeen | None, route: SendTraffic, retaken_at: datetime | None = None) -> Manifest:
    """Return the Service with who serves and the selector that makes it so, as of the version it was read at: a stale write fails."""
    selector = {naming.SERVES: claim.name}
    if not route.weight:
        selector[naming.VERSION] = route.champion
    return _service(claim, service, marks(route.champion, route.previous, retaken_at, route.withdrawal), selector)


def handed_back_service(service: ServiceSeen) -> Manifest:
    """Return the Service with the selector that was found, and nothing else of ours: what an apply no longer names goes."""
    meta = service.identity
    return {
        "apiVersion": Kind.SERVICE.api_version,
        "kind": Kind.SERVICE.kind,
        "metadata": {"namespace": meta.namespace, "name": meta.name, "resourceVersion": meta.resource_version, "uid": meta.uid},
        "spec": {"selector": dict(service.recorded_selector)},
    }


def marks(champion: str, previous: str, retaken_at: datetime | None, withdrawal: Withdrawal | None) -> dict[str, str]:
    """Return the annotations that say on the object itself who serves, who does so no longer and why, and when it was last retaken."""
    told = {
        naming.CHAMPION: champion,
        naming.PREVIOUS: previous,
        naming.RETAKEN: retaken_at.isoformat() if retaken_at else "",
        naming.WITHDRAWN: written(withdrawal) if withdrawal else "",
    }
    return {name: value for name, value in told.items() if value}


def _service(claim: Claim, service: ServiceSeen | None, annotations: dict[str, str], selector: dict[str, str] | None) -> Manifest:
    meta = metadata(claim.namespace, claim.name, claim.policy, policy_uid=claim.policy_uid)
    spec: Manifest = {}
    if service is None or service.made_by_us:
        annotations = annotations | {naming.MADE: "true"}
        spec["ports"] = [dict(port) for port in claim.ports]
    else:
        annotations = annotations | _found(claim, service)
        del meta["labels"][naming.MANAGED_BY]  # it is its owner's to say: every Service of a Helm chart has this label
    if selector is not None:
        spec["selector"] = selector
    if service is not None:
        # With its UID besides: a Service that was deleted meanwhile is not made again from what was known of it.
        meta |= {"resourceVersion": service.identity.resource_version, "uid": service.identity.uid}
    return {
        "apiVersion": Kind.SERVICE.api_version,
        "kind": Kind.SERVICE.kind,
        "metadata": meta | ({"annotations": annotations} if annotations else {}),
        "spec": spec,
    }


def _found(claim: Claim, service: ServiceSeen) -> dict[str, str]:
    """Keep what is needed once the policy is gone: the selector that was found, and whether it is to be restored."""
    found = {naming.FOUND_SELECTOR: json.dumps(dict(service.found_selector), sort_keys=True)} if service.found_selector else {}
    return found | ({naming.DELETION_POLICY: "HandBack"} if claim.hands_back else {})


def _template(pod: Mapping[str, Any], labels: dict[str, str], container: str, variable: str, version: str) -> Manifest:
    template = copy.deepcopy(dict(pod))
    meta = template.get("metadata") or {}
    template["metadata"] = {"labels": (meta.get("labels") or {}) | labels}
    if meta.get("annotations"):
        template["metadata"]["annotations"] = dict(meta["annotations"])
    for each in template["spec"]["containers"]:
        if each["name"] == container and version != naming.ADOPTED:  # what is adopted goes on with the environment it has
            others = [entry for entry in each.get("env") or [] if entry["name"] != variable]
            each["env"] = [*others, {"name": variable, "value": version}]
    return template

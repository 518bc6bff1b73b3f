"""The gateway mode's objects: the HTTPRoute that shares requests, the Service by which it reaches one version, and the route read back."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from retrainer.api.v1alpha1.traffic import ParentRef
from retrainer.core import naming
from retrainer.core.actions import AddressVersion, SendTraffic
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import PolicySeen
from retrainer.core.route import RouteSeen, Routing
from retrainer.manifests.metadata import metadata, owned_by
from retrainer.manifests.seen import identity, moment
from retrainer.manifests.serving import Claim, a_port, marks
from retrainer.manifests.withdrawal import read

Body = Mapping[str, Any]

_COOKIE_LIVES: Final = "Path=/; HttpOnly; SameSite=Lax"
_VERDICTS: Final = ("Accepted", "ResolvedRefs")


def version_service(policy: PolicySeen, wanted: AddressVersion) -> Manifest:
    """Return `<service>-<version>`, which reaches one version's pods. It goes with the version's Deployment."""
    claim = policy.spec.serving.service
    meta = metadata(
        policy.identity.namespace,
        naming.version_service(claim.name, wanted.version),
        policy.identity.name,
        serves=claim.name,
        version=wanted.version,
    )
    return {
        "apiVersion": Kind.SERVICE.api_version,
        "kind": Kind.SERVICE.kind,
        "metadata": meta | {"ownerReferences": [owned_by(Kind.DEPLOYMENT, wanted.deployment, controller=False)]},
        "spec": {
            "ports": [a_port(policy)],
            "selector": {naming.SERVES: claim.name, naming.VERSION: wanted.version},
        },
    }


def route(claim: Claim, before: RouteSeen | None, asked: SendTraffic, wanted: Routing, retaken_at: datetime | None = None) -> Manifest:
    """Return the route with who serves and the weights that make it so, as of the version it was read at: a stale write fails.

    It has no ownerReference: deleting a policy is no outage.
    """
    meta = metadata(claim.namespace, claim.name, claim.policy, policy_uid=claim.policy_uid)
    if before is not None:
        meta |= {"resourceVersion": before.identity.resource_version, "uid": before.identity.uid}
    return {
        "apiVersion": Kind.HTTP_ROUTE.api_version,
        "kind": Kind.HTTP_ROUTE.kind,
        "metadata": meta | {"annotations": marks(asked.champion, asked.previous, retaken_at, asked.withdrawal)},
        "spec": {
            "parentRefs": [parent.wire() for parent in wanted.parents],
            "hostnames": list(wanted.hostnames),
            "rules": _rules(claim, wanted),
        },
    }


def _rules(claim: Claim, wanted: Routing) -> list[Manifest]:
    """Return one rule with the weights, and before it one for each version's returning clients where a cookie keeps them."""

    def backend(version: str) -> Manifest:
        return {"name": naming.version_service(claim.name, version), "port": wanted.port}

    shares = [backend(version) | {"weight": weight} for version, weight in wanted.weights]
    if not wanted.cookie:
        copies = [{"type": "RequestMirror", "requestMirror": {"backendRef": backend(wanted.mirrored)}}] if wanted.mirrored else []
        return [{"backendRefs": shares} | ({"filters": copies} if copies else {})]
    kept = [
        {"matches": [{"headers": [_returns(wanted.cookie, version)]}], "backendRefs": [backend(version)]} for version, _ in wanted.weights
    ]
    met = [share | {"filters": [_remembers(wanted.cookie, version)]} for share, (version, _) in zip(shares, wanted.weights, strict=True)]
    return [*kept, {"backendRefs": met}]


def _returns(cookie: str, version: str) -> Manifest:
    # Written so that it means the same to gateways that look for a match in the header and to those that match all of it.
    return {"type": "RegularExpression", "name": "Cookie", "value": f"^(.*; ?)?{cookie}={version}(;.*)?$"}


def _remembers(cookie: str, version: str) -> Manifest:
    header = {"name": "Set-Cookie", "value": f"{cookie}={version}; {_COOKIE_LIVES}"}
    return {"type": "ResponseHeaderModifier", "responseHeaderModifier": {"add": [header]}}


def route_seen(body: Body) -> RouteSeen:
    """Return an HTTPRoute of ours, whatever others have made of it."""
    meta, spec = body["metadata"], body["spec"]
    labels, annotations = meta.get("labels") or {}, meta.get("annotations") or {}
    return RouteSeen(
        identity=identity(body),
        routing=_routing(meta["name"], spec),
        policy=labels.get(naming.POLICY, ""),
        claimed_by=labels.get(naming.POLICY_UID, ""),
        champion=annotations.get(naming.CHAMPION, ""),
        previous=annotations.get(naming.PREVIOUS, ""),
        retaken_at=moment(annotations, naming.RETAKEN),
        withdrawal=read(annotations.get(naming.WITHDRAWN, "")),
        refusal=_refusal(spec, (body.get("status") or {}).get("parents") or []),
    )


def _routing(name: str, spec: Body) -> Routing:
    rules = spec.get("rules") or [{}]
    last = rules[-1]

    def version(reference: Body) -> str:
        return str(reference["name"]).removeprefix(f"{name}-")

    weights = tuple((version(one), one.get("weight", 1)) for one in last.get("backendRefs") or [])
    copies = [one["requestMirror"]["backendRef"] for one in last.get("filters") or [] if "requestMirror" in one]
    ports = {int(one.get("port", 0)) for rule in rules for one in rule.get("backendRefs") or []}
    return Routing(
        port=ports.pop() if len(ports) == 1 else 0,
        parents=tuple(ParentRef.model_validate(parent) for parent in spec.get("parentRefs") or []),
        hostnames=tuple(spec.get("hostnames") or []),
        weights=weights,
        mirrored=version(copies[0]) if copies else "",
        cookie=_cookie(rules[:-1]),
    )


def _cookie(kept: list[Body]) -> str:
    """Return the cookie whose clients the leading rules keep; a rule that is not ours makes it one that nobody asks for."""
    matched = [header for rule in kept for match in rule.get("matches") or [] for header in match.get("headers") or []]
    names = {str(header.get("value", "")).removeprefix("^(.*; ?)?").partition("=")[0] for header in matched}
    return ",".join(sorted(names)) if matched or not kept else "?"


def _refusal(spec: Body, answers: list[Body]) -> str:
    gateways = ", ".join(str(parent["name"]) for parent in spec.get("parentRefs") or [])
    if not answers:
        return f"no gateway has taken the HTTPRoute up: is there a Gateway {gateways}, and does its controller run?"
    for answer in answers:
        conditions = {one["type"]: one for one in answer.get("conditions") or []}
        for verdict in _VERDICTS:
            found = conditions.get(verdict)
            if found is not None and found["status"] == "False":
                said = f"{found.get('reason', '')}: {found.get('message', '')}".rstrip(": ")
                return f"Gateway {answer['parentRef']['name']} does not accept the HTTPRoute ({verdict}=False, {said})"
    return ""

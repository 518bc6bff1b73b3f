"""Which policies must look again when an object changes, and under which keys an object is found."""

from collections.abc import Mapping
from typing import Any

from retrainer.core import naming
from retrainer.core.observation import DeploymentSeen
from retrainer.manifests import seen as parse
from retrainer.ports import Key, World

Body = Mapping[str, Any]


def for_run(body: Body) -> list[Key]:
    """Return the policy a run belongs to."""
    return [(body["metadata"]["namespace"], body["spec"]["policyRef"]["name"])]


def for_child(body: Body) -> list[Key]:
    """Return the policy whose label an object of ours carries, whether the policy still exists or not; none for another's object."""
    policy = (body["metadata"].get("labels") or {}).get(naming.POLICY)
    return [(body["metadata"]["namespace"], policy)] if policy else []


def for_deployment(body: Body, world: World) -> list[Key]:
    """Return the policies that serve from a Deployment or build their versions from it."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    named = [policy.identity.key for policy in world.policies(namespace) if policy.spec.serving.deployment_ref.name == name]
    return for_child(body) or named


def for_service(body: Body, world: World) -> list[Key]:
    """Return every policy of the namespace: any Service may be a target, or select a candidate's pods. Services change seldom."""
    here = [policy.identity.key for policy in world.policies(body["metadata"]["namespace"])]
    return sorted({*for_child(body), *here})


def deployment_keys(body: Body) -> dict[tuple[str, str, str], DeploymentSeen]:
    """Return under which keys a Deployment is found: by name always, by policy when it is a version's."""
    deployment = parse.deployment_seen(body)
    namespace = deployment.identity.namespace
    keys = {("name", namespace, deployment.identity.name): deployment}
    if deployment.policy and deployment.version:
        keys["policy", namespace, deployment.policy] = deployment
    return keys

"""Under which keys an object is found in the caches, and which policies must look again when it changes."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from retrainer.core import naming
from retrainer.core.chore import ChoreSeen
from retrainer.core.kinds import Kind
from retrainer.core.line import standing
from retrainer.core.observation import DeploymentSeen, JobSeen, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.core.places import holds_one, waits_for_one
from retrainer.core.route import RouteSeen
from retrainer.manifests import seen as parse
from retrainer.manifests.route import route_seen
from retrainer.ports import Key, Place, Shared, World

Body = Mapping[str, Any]


def policies(body: Body) -> dict[tuple[str, str, str], PolicySeen]:
    """Return a policy by name, and by everything that it may share with another of its namespace."""
    policy = parse.policy_seen(body)
    namespace, serving, secret = policy.identity.namespace, policy.spec.serving, policy.spec.monitor.database_secret
    heeds = any(trigger.alert is not None for trigger in policy.spec.triggers)
    return {
        ("name", *policy.identity.key): policy,
        (Shared.MODEL_TYPE, namespace, policy.spec.model_type): policy,
        (Shared.SERVICE, namespace, serving.service.name): policy,
        (Shared.DEPLOYMENT, namespace, serving.deployment_ref.name): policy,
        (Shared.MONITOR, namespace, naming.monitor_name(secret.name, secret.key)): policy,
        **({(Shared.ALERTS, namespace, ""): policy} if heeds else {}),
    }


def runs(body: Body) -> dict[Key | Place, RunSeen]:
    """Return a run under its policy's key, and under what it has to do with the fleet's places, if anything."""
    run = parse.run_seen(body)
    found: dict[Key | Place, RunSeen] = {(run.identity.namespace, run.spec.policy_ref.name): run}
    if holds_one(run.spec, run.status):
        found[Place.TAKEN] = run
    elif waits_for_one(run.status) and not run.deleting:
        found[Place.WAITED_FOR] = run
    return found


def jobs(body: Body) -> dict[Key, JobSeen]:
    """Return a Job of ours under its policy's key."""
    return dict.fromkeys(for_child(body), parse.job_seen(body))


def pods(body: Body) -> dict[Key, PodSeen]:
    """Return a pod of ours under its policy's key."""
    return dict.fromkeys(for_child(body), parse.pod_seen(body))


def chores(body: Body) -> dict[Key, ChoreSeen]:
    """Return a CronJob of ours under its policy's key."""
    return dict.fromkeys(for_child(body), parse.chore_seen(body))


def deployments(body: Body) -> dict[tuple[str, str, str], DeploymentSeen]:
    """Return any Deployment by name, and a version's by policy too."""
    deployment = parse.deployment_seen(body)
    namespace = deployment.identity.namespace
    keys = {("name", namespace, deployment.identity.name): deployment}
    if deployment.policy and deployment.version:
        keys["policy", namespace, deployment.policy] = deployment
    return keys


def services(body: Body) -> dict[tuple[str, ...], ServiceSeen]:
    """Return any Service by name, one that carries a policy's label by that too, and by one label of those that it selects.

    One is enough: pods that it selects have them all, so whoever asks for each label of a pod comes upon every Service that selects it.
    """
    service = parse.service_seen(body)
    namespace = service.identity.namespace
    keys: dict[tuple[str, ...], ServiceSeen] = {("name", *service.identity.key): service}
    if service.policy:
        keys["policy", namespace, service.policy] = service
    if service.selector:
        keys["selects", namespace, *min(service.selector.items())] = service
    return keys


def routes(body: Body) -> dict[tuple[str, str, str], RouteSeen]:
    """Return an HTTPRoute of ours by name, and by its policy."""
    route = route_seen(body)
    return {("name", *route.identity.key): route, ("policy", route.identity.namespace, route.policy): route}


INDICES: Final[Mapping[str, Callable[[Body], dict[Any, Any]]]] = {
    "policies": policies,
    "runs": runs,
    "jobs": jobs,
    "pods": pods,
    "chores": chores,
    "deployments": deployments,
    "services": services,
    "routes": routes,
}
KINDS: Final[Mapping[str, Kind]] = {
    "policies": Kind.POLICY,
    "runs": Kind.RUN,
    "jobs": Kind.JOB,
    "pods": Kind.POD,
    "chores": Kind.CRON_JOB,
    "deployments": Kind.DEPLOYMENT,
    "services": Kind.SERVICE,
    "routes": Kind.HTTP_ROUTE,
}
OURS: Final = f"{naming.MANAGED_BY}=retrainer,{naming.POLICY}"
OURS_ALONE: Final = frozenset({Kind.JOB, Kind.CRON_JOB, Kind.POD, Kind.HTTP_ROUTE})
"""The kinds of which only the objects with the labels `OURS` are watched."""


def for_policy(body: Body, _: World) -> list[Key]:
    """Return the policy itself."""
    return [parse.identity(body).key]


def for_run(body: Body, world: World) -> list[Key]:
    """Return the policy a run belongs to, and that of the next to get a place: any run may have left one, or just taken the one before."""
    mine = (body["metadata"]["namespace"], body["spec"]["policyRef"]["name"])
    first = min(world.places(Place.WAITED_FOR), key=standing, default=None)
    return [mine, (first.identity.namespace, first.spec.policy_ref.name)] if first is not None else [mine]


def for_child(body: Body, _: World | None = None) -> list[Key]:
    """Return the policy whose label an object of ours carries, whether the policy still exists or not; none for another's object."""
    policy = (body["metadata"].get("labels") or {}).get(naming.POLICY)
    return [(body["metadata"]["namespace"], policy)] if policy else []


def for_deployment(body: Body, world: World) -> list[Key]:
    """Return the policies that serve from a Deployment, or build their versions from it, or own the monitor that it is."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    return for_child(body) or _for_monitor(body, world) or _naming(world, namespace, Shared.DEPLOYMENT, name)


def _for_monitor(body: Body, world: World) -> list[Key]:
    """Return the owners of a monitor; all who share its database once no owner is left, since it goes with the last."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    sharing = _naming(world, namespace, Shared.MONITOR, name)
    named = {(namespace, owner["name"]) for owner in body["metadata"].get("ownerReferences") or ()}
    return [key for key in sharing if key in named] or sharing


def for_service(body: Body, world: World) -> list[Key]:
    """Return the policies that a Service concerns: by its label, as the target of one, or because it would select a candidate's pods."""
    namespace, name = body["metadata"]["namespace"], body["metadata"]["name"]
    selected = world.exposed_to(namespace, body["spec"].get("selector") or {})
    return sorted({*for_child(body), *_naming(world, namespace, Shared.SERVICE, name), *selected})


def _naming(world: World, namespace: str, shared: Shared, name: str) -> list[Key]:
    return [policy.identity.key for policy in world.policies(namespace, shared, name)]


WAKES: Final[Mapping[str, Callable[[Body, World], list[Key]]]] = {
    "policies": for_policy,
    "runs": for_run,
    "jobs": for_child,
    "pods": for_child,
    "chores": for_child,
    "deployments": for_deployment,
    "services": for_service,
    "routes": for_child,
}

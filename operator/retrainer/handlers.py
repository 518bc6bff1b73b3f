"""All that kopf sees: indices that trim every object to what the core needs, and events that put a policy's key on the queue.

No branches, no state, no return values for kopf to store: it adds no finalizer and no annotation to anybody's object, and writes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import kopf
from typing_extensions import override

from retrainer import waking
from retrainer.api.v1alpha1 import GROUP, POLICIES, RUNS, VERSION
from retrainer.core import naming
from retrainer.manifests import seen as parse
from retrainer.ports import Key, World

Body = Mapping[str, Any]
Wake = Callable[[list[Key]], None]
Attach = Callable[[Mapping[str, Any]], None]
OURS = f"{naming.MANAGED_BY}=retrainer,{naming.POLICY}"


class NoDiffBase(kopf.DiffBaseStorage):
    """kopf deep-copies and diffs every object at every event for handlers that we do not have."""

    @override
    def build(self, *, body: Any, extra_fields: Any = None) -> Any:
        return {}

    @override
    def fetch(self, *, body: Any) -> Any:
        return None

    @override
    def store(self, *, body: Any, patch: Any, essence: Any) -> None:
        return None


def configure(settings: kopf.OperatorSettings) -> None:
    """Make kopf watch and do nothing else."""
    settings.persistence.diffbase_storage = NoDiffBase()
    settings.posting.enabled = False
    settings.scanning.disabled = True
    settings.peering.standalone = True
    settings.networking.request_timeout = 30
    settings.networking.connect_timeout = 10
    settings.watching.server_timeout = 300
    settings.watching.client_timeout = 360
    settings.watching.inactivity_timeout = 70  # a watch that has silently died is noticed by the bookmarks that do not come
    settings.watching.label_selectors["batch", "v1", "jobs"] = OURS
    settings.watching.label_selectors["", "v1", "pods"] = OURS


def register(registry: kopf.OperatorRegistry, wake: Wake, world: World, attach: Attach) -> None:
    """Register the indices, which the `world` reads, and the events; `wake` puts keys on the queue, `attach` gets the indices."""

    @kopf.on.startup(registry=registry)
    async def started(settings: kopf.OperatorSettings, **kwargs: Any) -> None:
        configure(settings)
        attach({name: kwargs[name] for name in ("policies", "runs", "jobs", "pods", "deployments", "services")})

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    _register_indices(registry)
    _register_events(registry, wake, world)


def _register_indices(registry: kopf.OperatorRegistry) -> None:
    @kopf.index(GROUP, VERSION, POLICIES, id="policies", registry=registry)
    def policies(body: Body, **_: Any) -> dict[Key, Any]:
        return {parse.identity(body).key: parse.policy_seen(body)}

    @kopf.index(GROUP, VERSION, RUNS, id="runs", registry=registry)
    def runs(body: Body, **_: Any) -> dict[Key, Any]:
        return dict.fromkeys(waking.for_run(body), parse.run_seen(body))

    @kopf.index("batch", "v1", "jobs", id="jobs", registry=registry)
    def jobs(body: Body, **_: Any) -> dict[Key, Any]:
        return dict.fromkeys(waking.for_child(body), parse.job_seen(body))

    @kopf.index("", "v1", "pods", id="pods", registry=registry)
    def pods(body: Body, **_: Any) -> dict[Key, Any]:
        return dict.fromkeys(waking.for_child(body), parse.pod_seen(body))

    @kopf.index("apps", "v1", "deployments", id="deployments", registry=registry)
    def deployments(body: Body, **_: Any) -> dict[tuple[str, str, str], Any]:
        return waking.deployment_keys(body)

    @kopf.index("", "v1", "services", id="services", registry=registry)
    def services(body: Body, **_: Any) -> dict[str, Any]:
        return {parse.identity(body).namespace: parse.service_seen(body)}


def _register_events(registry: kopf.OperatorRegistry, wake: Wake, world: World) -> None:
    @kopf.on.event(GROUP, VERSION, POLICIES, registry=registry)
    def policy_changed(body: Body, **_: Any) -> None:
        wake([parse.identity(body).key])

    @kopf.on.event(GROUP, VERSION, RUNS, registry=registry)
    def run_changed(body: Body, **_: Any) -> None:
        wake(waking.for_run(body))

    @kopf.on.event("batch", "v1", "jobs", registry=registry)
    @kopf.on.event("", "v1", "pods", registry=registry)
    def child_changed(body: Body, **_: Any) -> None:
        wake(waking.for_child(body))

    @kopf.on.event("apps", "v1", "deployments", registry=registry)
    def deployment_changed(body: Body, **_: Any) -> None:
        wake(waking.for_deployment(body, world))

    @kopf.on.event("", "v1", "services", registry=registry)
    def service_changed(body: Body, **_: Any) -> None:
        wake(waking.for_service(body, world))

"""All that kopf sees: indices that trim every object to what the core needs, and events that put a policy's key on the queue.

No branches, no state, no return values for kopf to store: it adds no finalizer and no annotation to anybody's object, and writes nothing.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

import kopf
from typing_extensions import override

from retrainer import waking
from retrainer.core import naming
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
    # kopf has a task for each object that an event came for, which holds the object as it came until no other comes for so long: without
    # these two, thousands are whole in memory after a start, or when many come at once.
    settings.watching.chunk_size = 200
    settings.queueing.idle_timeout = 0.1
    settings.watching.label_selectors["batch", "v1", "jobs"] = OURS
    settings.watching.label_selectors["batch", "v1", "cronjobs"] = OURS
    settings.watching.label_selectors["", "v1", "pods"] = OURS
    settings.watching.label_selectors["gateway.networking.k8s.io", "v1", "httproutes"] = OURS


def register(registry: kopf.OperatorRegistry, wake: Wake, world: World, attach: Attach, watched: Collection[str]) -> None:
    """Register the `watched` ones of `waking.INDICES`, which the `world` reads, and the events.

    `wake` puts keys on the queue, `attach` gets the indices.
    """

    @kopf.on.startup(registry=registry)
    async def started(settings: kopf.OperatorSettings, **kwargs: Any) -> None:
        configure(settings)
        attach({index: kwargs[index] for index in watched})

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # A kubeconfig that was given wins, as it does for our own requests: the operator may be tried out from a pod of another cluster.
        return kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)

    for index in watched:
        _register_kind(registry, index, wake, world)


def _register_kind(registry: kopf.OperatorRegistry, index: str, wake: Wake, world: World) -> None:
    kind = waking.KINDS[index]
    group, version = kind.group, kind.api_version.rpartition("/")[2]

    @kopf.index(group, version, kind.plural, id=index, registry=registry)
    def found(body: Body, **_: Any) -> dict[Any, Any]:
        return waking.INDICES[index](body)

    @kopf.on.event(group, version, kind.plural, id=f"{index}-changed", registry=registry)
    def changed(body: Body, **_: Any) -> None:
        wake(waking.WAKES[index](body, world))

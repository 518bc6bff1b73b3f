"""All that kopf sees: events, which bring each object to its index, trimmed to what the core needs, and put a policy's key on the queue.

No branches, no state, no return values for kopf to store: it adds no finalizer and no annotation to anybody's object, and writes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

import kopf
from typing_extensions import override

from retrainer import waking
from retrainer.index import Index
from retrainer.ports import Key, World

Body = Mapping[str, Any]
Wake = Callable[[list[Key]], None]


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
    for kind in waking.OURS_ALONE:
        settings.watching.label_selectors[kind.group, kind.api_version.rpartition("/")[2], kind.plural] = waking.OURS


def register(registry: kopf.OperatorRegistry, wake: Wake, world: World, indices: Mapping[str, Index]) -> None:
    """Have kopf keep those of `waking.INDICES` that are given, and have each change wake whom it concerns by `wake(keys)`."""

    @kopf.on.startup(registry=registry)
    async def started(settings: kopf.OperatorSettings, **_: Any) -> None:
        configure(settings)

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        # A kubeconfig that was given wins, as it does for our own requests: the operator may be tried out from a pod of another cluster.
        return kopf.login_with_kubeconfig(**kwargs) or kopf.login_with_service_account(**kwargs)

    for name, index in indices.items():
        _register_index(registry, name, index, wake, world)


def _register_index(registry: kopf.OperatorRegistry, name: str, index: Index, wake: Wake, world: World) -> None:
    kind = waking.KINDS[name]
    group, version = kind.group, kind.api_version.rpartition("/")[2]

    @kopf.on.event(group, version, kind.plural, id=name, registry=registry)
    async def changed(event: kopf.RawEvent, body: Body, **_: Any) -> None:  # a plain function would be called in a thread
        index.take(body, gone=event["type"] == "DELETED")
        wake(waking.WAKES[name](body, world))

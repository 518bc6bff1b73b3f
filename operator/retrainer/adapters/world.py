"""The `World` on kopf's indices, with our own writes laid over them until the watch has caught up.

Without the overlay a round that starts before the echo of the last one's write would decide from yesterday's status.
"""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from typing_extensions import override

from retrainer import waking
from retrainer.core.chore import ChoreSeen
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import DeploymentSeen, JobSeen, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.core.route import RouteSeen
from retrainer.ports import Key, Place, World

Index = Mapping[Any, Iterable[Any]]

_OVERLAY_S: Final = 30.0


@dataclass(slots=True)
class _Written:
    seen: Any
    until: float
    brought: bool
    """Whether the watch has brought the object before: if it then has it no longer, it is gone, and our write must not keep it alive."""


class WatchedWorld(World):
    """Reads kopf's indices; `attach` gives it the indices once kopf has made them."""

    def __init__(self) -> None:
        self._indices: Mapping[str, Index] = {}
        self._written: dict[tuple[str, Any], dict[Key, _Written]] = {}

    def attach(self, indices: Mapping[str, Index]) -> None:
        """Take up those of the indices in `waking.INDICES` whose kinds are watched."""
        self._indices = indices

    @override
    def keys(self) -> list[Key]:
        return list(self._indices.get("policies", ()))

    @override
    def policy(self, key: Key) -> PolicySeen | None:
        return next(iter(self._read("policies", key)), None)

    @override
    def policies(self, namespace: str) -> list[PolicySeen]:
        return [policy for key in self.keys() if key[0] == namespace and (policy := self.policy(key)) is not None]

    @override
    def runs(self, key: Key) -> list[RunSeen]:
        return sorted(self._read("runs", key), key=lambda run: (run.identity.created, run.name))

    @override
    def places(self, which: Place) -> list[RunSeen]:
        return self._read("places", which)

    @override
    def jobs(self, key: Key) -> list[JobSeen]:
        return self._read("jobs", key)

    @override
    def pods(self, key: Key) -> list[PodSeen]:
        return self._read("pods", key)

    @override
    def versions(self, key: Key) -> list[DeploymentSeen]:
        return self._read("deployments", ("policy", *key))

    @override
    def deployment(self, namespace: str, name: str) -> DeploymentSeen | None:
        return next(iter(self._read("deployments", ("name", namespace, name))), None)

    @override
    def chores(self, key: Key) -> list[ChoreSeen]:
        return self._read("chores", key)

    @override
    def services(self, namespace: str) -> list[ServiceSeen]:
        return self._read("services", namespace)

    @override
    def routes(self, namespace: str) -> list[RouteSeen]:
        return self._read("routes", namespace)

    @override
    def routes_are_watched(self) -> bool:
        return "routes" in self._indices

    @override
    def remember(self, manifest: Manifest) -> None:
        kind = Kind.of(manifest)
        until = time.monotonic() + _OVERLAY_S
        for index, keys in waking.INDICES.items():
            if waking.KINDS[index] is kind:
                found = keys(manifest)
                self._forget(index, manifest, found)
                for key, seen in found.items():
                    brought = any(one.identity.uid == seen.identity.uid for one in self._indices.get(index, {}).get(key, ()))
                    self._written.setdefault((index, key), {})[seen.identity.key] = _Written(seen, until, brought)

    def _forget(self, index: str, manifest: Manifest, found: Mapping[Any, Any]) -> None:
        """Drop earlier writes of an object that is no longer found where they were kept."""
        place = manifest["metadata"]["namespace"], manifest["metadata"]["name"]
        for (one, key), written in self._written.items():
            if one == index and key not in found:
                written.pop(place, None)

    def _read(self, index: str, key: Any) -> list[Any]:  # noqa: ANN401 - each index has keys of its own
        """Return what the watch brought, newer writes of ours in its place, and what we made and it has not brought yet."""
        brought = {one.identity.key: one for one in self._indices.get(index, {}).get(key, ())}
        written = self._written.get((index, key))
        if not written:
            return list(brought.values())
        for place, mine in list(written.items()):
            theirs = brought.get(place)
            overtaken = theirs is not None and (theirs.identity.uid != mine.seen.identity.uid or _is_as_new(theirs, mine.seen))
            gone = theirs is None and mine.brought
            if overtaken or gone or time.monotonic() > mine.until:
                del written[place]
            else:
                mine.brought = theirs is not None
                brought[place] = mine.seen
        if not written:
            del self._written[index, key]
        return list(brought.values())


def _is_as_new(theirs: Any, mine: Any) -> bool:  # noqa: ANN401 - any two of the same kind
    """Compare resource versions; Kubernetes promises since 1.35 what etcd always did, that they grow."""
    return int(theirs.identity.resource_version or 0) >= int(mine.identity.resource_version or 0)

"""The `World` on the indices that the watches fill, with our own writes laid over them until a watch has caught up."""

from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from retrainer import waking
from retrainer.adapters.exposure import Exposure
from retrainer.adapters.overlay import Overlay
from retrainer.core.chore import ChoreSeen
from retrainer.core.kinds import Kind, Manifest
from retrainer.core.observation import DeploymentSeen, JobSeen, PodSeen, PolicySeen, RunSeen, ServiceSeen
from retrainer.core.route import RouteSeen
from retrainer.ports import Key, Place, Shared, World

Index = Mapping[Any, Iterable[Any]]


class WatchedWorld(World):
    """Reads the indices that `attach` gives it."""

    def __init__(self) -> None:
        self._indices: Mapping[str, Index] = {}
        self._overlays = {index: Overlay() for index in waking.INDICES}
        self._exposure = Exposure()

    def attach(self, indices: Mapping[str, Index]) -> None:
        """Take up those of the indices in `waking.INDICES` whose kinds are watched."""
        self._indices = indices

    @override
    def keys(self) -> list[Key]:
        return [key[1:] for key in self._indices.get("policies", ()) if key[0] == "name"]

    @override
    def policy(self, key: Key) -> PolicySeen | None:
        return next(iter(self._read("policies", ("name", *key))), None)

    @override
    def policies(self, namespace: str, shared: Shared, name: str) -> list[PolicySeen]:
        return self._read("policies", (shared, namespace, name))

    @override
    def runs(self, key: Key) -> list[RunSeen]:
        return sorted(self._read("runs", key), key=lambda run: (run.identity.created, run.name))

    @override
    def places(self, which: Place) -> list[RunSeen]:
        return self._read("runs", which)

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
    def service(self, namespace: str, name: str) -> ServiceSeen | None:
        return next(iter(self._read("services", ("name", namespace, name))), None)

    @override
    def services(self, key: Key) -> list[ServiceSeen]:
        return self._read("services", ("policy", *key))

    @override
    def services_selecting(self, namespace: str, labels: Mapping[str, str]) -> list[ServiceSeen]:
        found = (one for label in labels.items() for one in self._read("services", ("selects", namespace, *label)))
        return [one for one in found if one.selector.items() <= labels.items()]

    @override
    def route(self, namespace: str, name: str) -> RouteSeen | None:
        return next(iter(self._read("routes", ("name", namespace, name))), None)

    @override
    def routes(self, key: Key) -> list[RouteSeen]:
        return self._read("routes", ("policy", *key))

    @override
    def routes_are_watched(self) -> bool:
        return "routes" in self._indices

    @override
    def expose(self, key: Key, labels: Mapping[str, str]) -> None:
        self._exposure.put(key, labels)

    @override
    def exposed_to(self, namespace: str, selector: Mapping[str, str]) -> list[Key]:
        return self._exposure.selected_by(namespace, selector)

    @override
    def remember(self, manifest: Manifest) -> None:
        kind, place = Kind.of(manifest), (manifest["metadata"]["namespace"], manifest["metadata"]["name"])
        for index, keys in waking.INDICES.items():
            if waking.KINDS[index] is kind:
                self._overlays[index].put(place, keys(manifest), self._indices.get(index, {}))

    def _read(self, index: str, key: Any) -> list[Any]:  # noqa: ANN401 - each index has keys of its own
        return self._overlays[index].over(key, self._indices.get(index, {}).get(key, ()))

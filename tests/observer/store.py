"""The latest facts of every object, by resource: what a `World` is a picture of."""

from collections.abc import Callable, Mapping
from typing import Any

from tests.observer.reading import READERS, key_of
from tests.observer.world import Key, World


class Store:
    """Takes lists and watch events in, gives worlds out."""

    def __init__(self) -> None:
        self._facts: dict[str, dict[Key, Any]] = {resource: {} for resource in READERS}
        self._leaving: set[str] = set()

    def replace(self, resource: str, manifests: list[Mapping[str, Any]]) -> None:
        """Forget what was known of a resource and take a whole list in."""
        if resource == "namespaces":
            self._leaving = {one["metadata"]["name"] for one in manifests if "deletionTimestamp" in one["metadata"]}
            return
        self._facts[resource] = {}
        for manifest in manifests:
            self._put(resource, manifest)

    def change(self, resource: str, event: Mapping[str, Any]) -> None:
        """Take one watch event in."""
        manifest = event["object"]
        if event["type"] == "BOOKMARK":
            return
        if resource == "namespaces":
            self._change_namespace(event["type"], manifest["metadata"])
        elif event["type"] == "DELETED":
            self._facts[resource].pop(key_of(manifest), None)
        else:
            self._put(resource, manifest)

    def world(self, at: float) -> World:
        """Return everything known, without the namespaces that are being deleted."""
        staying: Callable[[str], dict[Key, Any]] = self._staying
        return World(
            at=at,
            services=staying("services"),
            pods=staying("pods"),
            slices=staying("endpointslices"),
            deployments=staying("deployments"),
            jobs=staying("jobs"),
            runs=staying("modelretrainruns"),
            policies=staying("modelretrainpolicies"),
            routes=staying("httproutes"),
        )

    def _staying(self, resource: str) -> dict[Key, Any]:
        return {key: fact for key, fact in self._facts[resource].items() if key[0] not in self._leaving}

    def _put(self, resource: str, manifest: Mapping[str, Any]) -> None:
        fact = READERS[resource](manifest)
        if fact is None:
            self._facts[resource].pop(key_of(manifest), None)
        else:
            self._facts[resource][key_of(manifest)] = fact

    def _change_namespace(self, kind: str, metadata: Mapping[str, Any]) -> None:
        if kind == "DELETED":
            self._leaving.discard(metadata["name"])
        elif "deletionTimestamp" in metadata:
            self._leaving.add(metadata["name"])

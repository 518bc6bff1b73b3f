"""A live copy of one namespace, and the one way in which tests wait: for a fact to hold in it."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp

from tests.stand_ins.api import Api, ApiError, Manifest

Found = TypeVar("Found")
Listener = Callable[[str, Manifest], None]
"""Told of each object that is new or changed, and of one that is gone by its last state with a `deletionTimestamp`."""

RESOURCES = ("modelretrainpolicies", "modelretrainruns", "jobs", "pods", "deployments", "services", "endpointslices")
_RECONNECT_S = 0.2


class Mirror:
    """Keeps a namespace's objects by list and watch for as long as it is entered."""

    def __init__(self, api: Api, namespace: str, resources: Iterable[str] = RESOURCES) -> None:
        self._api = api
        self._namespace = namespace
        self._objects: dict[str, dict[str, Manifest]] = {resource: {} for resource in resources}
        self._listeners: list[Listener] = []
        self._waiting: list[Callable[[], None]] = []
        self._follows: list[asyncio.Task[None]] = []
        self.versions: dict[tuple[str, str], set[str]] = {}
        """The resource versions of each object that were seen, by resource and name."""

    async def __aenter__(self) -> Self:
        """Return once everything has been listed."""
        listed = {resource: asyncio.Event() for resource in self._objects}
        self._follows = [asyncio.create_task(self._follow(resource, event)) for resource, event in listed.items()]
        await asyncio.gather(*(event.wait() for event in listed.values()))
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Stop watching."""
        for follow in self._follows:
            follow.cancel()
        await asyncio.gather(*self._follows, return_exceptions=True)

    def listen(self, listener: Listener) -> None:
        """Tell `listener` of everything that is there, and of every change from now on."""
        self._listeners.append(listener)
        for resource, objects in self._objects.items():
            for manifest in list(objects.values()):
                listener(resource, manifest)

    def all(self, resource: str, **labels: str) -> list[Manifest]:
        """Return the objects of a resource whose `retrainer.dev/` labels are as given, by name."""
        wanted = {f"retrainer.dev/{key}": value for key, value in labels.items()}
        found = (one for one in self._objects[resource].values() if wanted.items() <= (one["metadata"].get("labels") or {}).items())
        return sorted(found, key=lambda one: str(one["metadata"]["name"]))

    def one(self, resource: str, name: str) -> Manifest | None:
        """Return an object, or None when it is not there."""
        return self._objects[resource].get(name)

    async def until(self, fact: Callable[[], Found | None], what: str, within: float = 45.0) -> Found:
        """Return what `fact` returns as soon as that is something; AssertionError that says `what` did not happen."""
        held: asyncio.Future[Found] = asyncio.get_running_loop().create_future()

        def look() -> None:
            if held.done():
                return
            try:
                found = fact()
            except Exception as error:  # noqa: BLE001 - it is the waiter's to hear of
                held.set_exception(error)
            else:
                if found:
                    held.set_result(found)

        self._waiting.append(look)
        look()
        try:
            async with asyncio.timeout(within):
                return await held
        except TimeoutError:
            raise AssertionError(f"{what}: not within {within:.0f} s") from None
        finally:
            self._waiting.remove(look)

    async def _follow(self, resource: str, listed: asyncio.Event) -> None:
        while True:
            try:
                whole = await self._api.list(resource, self._namespace)
                self._replace(resource, whole["items"])
                listed.set()
                async for event in self._api.watch(resource, self._namespace, whole["metadata"]["resourceVersion"]):
                    if event["type"] == "ERROR":
                        break
                    self._change(resource, event)
            except (aiohttp.ClientError, ApiError, OSError, TimeoutError):
                pass  # the API server is away, as a test may want it
            await asyncio.sleep(_RECONNECT_S)

    def _replace(self, resource: str, manifests: Iterable[Manifest]) -> None:
        known, self._objects[resource] = self._objects[resource], {}
        for manifest in manifests:
            self._change(resource, {"type": "ADDED", "object": manifest})
        for name in known.keys() - self._objects[resource].keys():
            self._tell(resource, known[name] | {"metadata": known[name]["metadata"] | {"deletionTimestamp": "gone"}})

    def _change(self, resource: str, event: Mapping[str, Any]) -> None:
        manifest = event["object"]
        meta = manifest["metadata"]
        if event["type"] == "DELETED":
            self._objects[resource].pop(meta["name"], None)
            manifest = manifest | {"metadata": {"deletionTimestamp": "gone"} | meta}
        else:
            self._objects[resource][meta["name"]] = manifest
            self.versions.setdefault((resource, meta["name"]), set()).add(meta["resourceVersion"])
        self._tell(resource, manifest)

    def _tell(self, resource: str, manifest: Manifest) -> None:
        for listener in self._listeners:
            listener(resource, manifest)
        for look in list(self._waiting):
            look()

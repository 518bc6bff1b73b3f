"""Plays the EndpointSlice controller for pods without a node, which the real one leaves out: one slice a Service."""

import asyncio

import aiohttp

from tests.stand_ins.api import Api, ApiError, Manifest
from tests.stand_ins.mirror import Mirror

_RETRY_S = 0.2


class EndpointsFaker:
    """Keeps the slices of one namespace's Services to their ready pods."""

    def __init__(self, api: Api, mirror: Mirror) -> None:
        self._api = api
        self._mirror = mirror
        self._changed = asyncio.Event()
        self._work: asyncio.Task[None] | None = None
        self._written: dict[str, Manifest] = {}

    def start(self) -> None:
        """Look at every Service and pod from now on."""
        self._mirror.listen(lambda resource, _: self._changed.set() if resource in {"pods", "services"} else None)
        self._work = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Look at nothing any more."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    async def _follow(self) -> None:
        while True:
            await self._changed.wait()
            self._changed.clear()
            wanted = [self._slice(service) for service in self._mirror.all("services") if service["spec"].get("selector")]
            for manifest in wanted:
                await self._write(manifest)

    def _slice(self, service: Manifest) -> Manifest:
        meta, spec = service["metadata"], service["spec"]
        labels = {"kubernetes.io/service-name": meta["name"], "endpointslice.kubernetes.io/managed-by": "stand-in"}
        return {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": {"namespace": meta["namespace"], "name": f"{meta['name']}-played", "labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": port["name"], "port": port["targetPort"], "protocol": "TCP"} for port in spec["ports"]],
            "endpoints": [_endpoint(pod) for pod in self._mirror.all("pods") if _is_behind(pod, spec["selector"])],
        }

    async def _write(self, manifest: Manifest) -> None:
        name = manifest["metadata"]["name"]
        if self._written.get(name) == manifest:
            return
        try:
            await self._api.apply("endpointslices", manifest, manager="stand-in")
        except (ApiError, aiohttp.ClientError, OSError):  # the namespace goes, or the API server is away
            await asyncio.sleep(_RETRY_S)
            self._changed.set()
        else:
            self._written[name] = manifest


def _is_behind(pod: Manifest, selector: Manifest) -> bool:
    status = pod.get("status") or {}
    ready = any(one["type"] == "Ready" and one["status"] == "True" for one in status.get("conditions") or [])
    leaving = "deletionTimestamp" in pod["metadata"]
    return ready and not leaving and bool(status.get("podIP")) and selector.items() <= (pod["metadata"].get("labels") or {}).items()


def _endpoint(pod: Manifest) -> Manifest:
    target = {"kind": "Pod", "namespace": pod["metadata"]["namespace"], "name": pod["metadata"]["name"]}
    return {"addresses": [pod["status"]["podIP"]], "conditions": {"ready": True}, "targetRef": target}

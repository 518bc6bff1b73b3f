"""Plays the controller of a Gateway whose class can copy requests: it accepts every route of a namespace and routes nothing."""

import asyncio

from tests.stand_ins.api import Api, ApiError, Manifest
from tests.stand_ins.mirror import Mirror

_GROUP = "gateway.networking.k8s.io/v1"
_CONTROLLER = "example.org/played"
_WHEN = "2026-11-23T12:00:00Z"


class PlayedGateway:
    """A GatewayClass and a Gateway of the namespace's name, for as long as `start` to `stop`."""

    def __init__(self, api: Api, mirror: Mirror, namespace: str) -> None:
        self._api = api
        self._mirror = mirror
        self._namespace = namespace
        self._answers: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Have the class say that it copies requests, and accept routes from now on."""
        name = self._namespace
        by = {"apiVersion": _GROUP, "kind": "GatewayClass", "metadata": {"name": name}, "spec": {"controllerName": _CONTROLLER}}
        await self._api.create("gatewayclasses", by)
        features = {"supportedFeatures": [{"name": "HTTPRouteRequestMirror"}], "conditions": [_holds("Accepted")]}
        await self._api.patch("gatewayclasses", "", name, {"status": features}, subresource="status")
        listener = {"name": "web", "protocol": "HTTP", "port": 80}
        spec = {"gatewayClassName": name, "listeners": [listener]}
        meta = {"namespace": name, "name": "played"}
        await self._api.create("gateways", {"apiVersion": _GROUP, "kind": "Gateway", "metadata": meta, "spec": spec})
        self._mirror.listen(self._seen)

    async def stop(self) -> None:
        """Take the class away; the Gateway goes with its namespace."""
        await asyncio.gather(*self._answers)
        await self._api.delete("gatewayclasses", "", self._namespace)

    def _seen(self, resource: str, route: Manifest) -> None:
        if resource == "httproutes" and not (route.get("status") or {}).get("parents"):
            answer = asyncio.create_task(self._accept(route))
            self._answers.add(answer)
            answer.add_done_callback(self._answers.discard)

    async def _accept(self, route: Manifest) -> None:
        parents = [
            {"parentRef": parent, "controllerName": _CONTROLLER, "conditions": [_holds("Accepted"), _holds("ResolvedRefs")]}
            for parent in route["spec"]["parentRefs"]
        ]
        try:
            await self._api.patch(
                "httproutes", self._namespace, route["metadata"]["name"], {"status": {"parents": parents}}, subresource="status"
            )
        except ApiError as error:
            if error.status != 404:
                raise


def _holds(condition: str) -> Manifest:
    return {"type": condition, "status": "True", "reason": condition, "message": "", "lastTransitionTime": _WHEN, "observedGeneration": 1}

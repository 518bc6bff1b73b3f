"""The API server as tests speak to it: plain objects in, plain objects out, refusals as they are worded."""

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import client, config

Manifest = dict[str, Any]

_ROOTS: Mapping[str, str] = {
    "configmaps": "/api/v1",
    "endpointslices": "/apis/discovery.k8s.io/v1",
    "events": "/apis/events.k8s.io/v1",
    "gatewayclasses": "/apis/gateway.networking.k8s.io/v1",
    "gateways": "/apis/gateway.networking.k8s.io/v1",
    "httproutes": "/apis/gateway.networking.k8s.io/v1",
    "cronjobs": "/apis/batch/v1",
    "deployments": "/apis/apps/v1",
    "jobs": "/apis/batch/v1",
    "modelretrainpolicies": "/apis/retrainer.dev/v1alpha1",
    "modelretrainruns": "/apis/retrainer.dev/v1alpha1",
    "namespaces": "/api/v1",
    "persistentvolumeclaims": "/api/v1",
    "pods": "/api/v1",
    "secrets": "/api/v1",
    "serviceaccounts": "/api/v1",
    "services": "/api/v1",
}
_MERGE = "application/merge-patch+json"
_APPLY = "application/apply-patch+yaml"


class ApiError(Exception):
    """The API server's refusal: its HTTP status, and its message as a user reads it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Api:
    """One API server, with the rights of a kubeconfig's current context."""

    def __init__(self, session: aiohttp.ClientSession, host: str) -> None:
        self._session = session
        self._host = host

    @classmethod
    async def of(cls, kubeconfig: Path) -> "Api":
        """Return the API server that a kubeconfig names, with its credentials."""
        settings = client.Configuration()
        await config.load_kube_config(str(kubeconfig), client_configuration=settings)
        trusted = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if settings.cert_file:
            trusted.load_cert_chain(settings.cert_file, settings.key_file)
        connector = aiohttp.TCPConnector(ssl=trusted, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        return cls(aiohttp.ClientSession(connector=connector, timeout=timeout, read_bufsize=2**22), settings.host)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def get(self, resource: str, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None when it is not there."""
        try:
            return await self._ask("GET", _path(resource, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def list(self, resource: str, namespace: str = "") -> Manifest:
        """Return a list object with its `items` and its resource version."""
        return await self._ask("GET", _path(resource, namespace))

    async def create(self, resource: str, manifest: Manifest) -> Manifest:
        """Create an object as kubectl does: a field that the schema does not know is refused."""
        query = {"fieldManager": "kubectl-create", "fieldValidation": "Strict"}
        return await self._ask("POST", _path(resource, manifest["metadata"].get("namespace", "")), manifest, query=query)

    async def apply(self, resource: str, manifest: Manifest, *, manager: str = "kubectl") -> Manifest:
        """Apply an object server-side as kubectl does, or somebody else, taking over what others hold."""
        meta = manifest["metadata"]
        query = {"fieldManager": manager, "fieldValidation": "Strict", "force": "true"}
        return await self._ask("PATCH", _path(resource, meta.get("namespace", ""), meta["name"]), manifest, _APPLY, query)

    async def patch(self, resource: str, namespace: str, name: str, merge: Manifest, *, subresource: str = "") -> Manifest:
        """Merge-patch an object, or a subresource of it."""
        path = _path(resource, namespace, name) + (f"/{subresource}" if subresource else "")
        return await self._ask("PATCH", path, merge, _MERGE)

    async def delete(self, resource: str, namespace: str, name: str) -> None:
        """Delete an object, and in the background what it owns; one that is gone is gone."""
        try:
            await self._ask("DELETE", _path(resource, namespace, name), {"propagationPolicy": "Background"})
        except ApiError as error:
            if error.status != 404:
                raise

    async def watch(self, resource: str, namespace: str, resource_version: str) -> AsyncIterator[Mapping[str, Any]]:
        """Yield the events since a resource version until the API server ends the watch."""
        parameters = {"watch": "1", "resourceVersion": resource_version}
        async with self._session.get(self._host + _path(resource, namespace), params=parameters) as answer:
            answer.raise_for_status()
            async for line in answer.content:
                yield json.loads(line)

    async def _ask(
        self,
        method: str,
        path: str,
        body: Manifest | None = None,
        content_type: str = "application/json",
        query: Mapping[str, str] | None = None,
    ) -> Manifest:
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content_type}
        async with self._session.request(method, self._host + path, data=data, headers=headers, params=query) as answer:
            document: Manifest = await answer.json()
            if answer.status >= 400:
                raise ApiError(answer.status, document.get("message", ""))
            return document


def _path(resource: str, namespace: str, name: str = "") -> str:
    within = f"/namespaces/{namespace}" if namespace else ""
    return f"{_ROOTS[resource]}{within}/{resource}" + (f"/{name}" if name else "")

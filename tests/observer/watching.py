"""A copy of the cluster's objects, kept by list and watch; every event is shown to whoever asked at once."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from kubernetes.aio import client, config

Event = Mapping[str, Any]
RECONNECT_AFTER = 0.5

RESOURCES: Mapping[str, str] = {
    "namespaces": "/api/v1/namespaces",
    "services": "/api/v1/services",
    "pods": "/api/v1/pods",
    "endpointslices": "/apis/discovery.k8s.io/v1/endpointslices",
    "deployments": "/apis/apps/v1/deployments",
    "jobs": "/apis/batch/v1/jobs",
    "httproutes": "/apis/gateway.networking.k8s.io/v1/httproutes",
    "modelretrainruns": "/apis/retrainer.dev/v1alpha1/modelretrainruns",
    "modelretrainpolicies": "/apis/retrainer.dev/v1alpha1/modelretrainpolicies",
}


class WatchEnded(Exception):
    """The API server ended a watch in a way that asks for a new list."""


class ApiServer:
    """The API server of a kubeconfig's current context."""

    def __init__(self, session: aiohttp.ClientSession, host: str) -> None:
        self._session = session
        self._host = host

    @classmethod
    async def of(cls, kubeconfig: Path) -> "ApiServer":
        """Return the API server that a kubeconfig names, with its credentials."""
        settings = client.Configuration()
        await config.load_kube_config(str(kubeconfig), client_configuration=settings)
        context = ssl.create_default_context(cafile=settings.ssl_ca_cert)
        if settings.cert_file:
            context.load_cert_chain(settings.cert_file, settings.key_file)
        token = await settings.get_api_key_with_prefix("BearerToken")
        headers = {"Authorization": token} if token else {}
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=5)
        return cls(aiohttp.ClientSession(connector=connector, headers=headers, timeout=timeout, read_bufsize=2**22), settings.host)

    async def close(self) -> None:
        """Close every connection."""
        await self._session.close()

    async def list(self, path: str) -> Mapping[str, Any] | None:
        """Return a list, None when the API server does not know the resource (yet)."""
        async with self._session.get(self._host + path) as answer:
            if answer.status == 404:
                return None
            answer.raise_for_status()
            document: Mapping[str, Any] = await answer.json()
            return document

    async def watch(self, path: str, resource_version: str) -> AsyncIterator[Event]:
        """Yield the events since a resource version; WatchEnded when a new list is needed."""
        parameters = {"watch": "1", "resourceVersion": resource_version, "allowWatchBookmarks": "true"}
        async with self._session.get(self._host + path, params=parameters) as answer:
            if answer.status != 200:
                raise WatchEnded(f"status {answer.status}")
            async for line in answer.content:
                event: Event = json.loads(line)
                if event["type"] == "ERROR":
                    raise WatchEnded(event["object"].get("message", ""))
                yield event


async def follow(api: ApiServer, resource: str, replaced: Callable[[str, list[Any]], None], changed: Callable[[str, Event], None]) -> None:
    """Keep a copy of one resource until cancelled: a list first and after every lost watch, then each event as it comes."""
    while True:
        try:
            listed = await api.list(RESOURCES[resource])
            if listed is not None:
                replaced(resource, listed["items"])
                async for event in api.watch(RESOURCES[resource], listed["metadata"]["resourceVersion"]):
                    changed(resource, event)
                continue
        except (aiohttp.ClientError, WatchEnded, OSError, TimeoutError):
            pass
        await asyncio.sleep(RECONNECT_AFTER)

"""The namespace's policies and runs from the API server: a plain list each round, so that nothing can be missed."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from kubernetes.aio import client, config

from trainer.errors import BadConfiguration
from trainer.monitor.objects import ClusterUnavailable, Document

GROUP = "retrainer.dev"
API_VERSION = "v1alpha1"
PAGE = 500
LIST_SECONDS = 10.0


class NamespaceObjects:
    """Lists what the ServiceAccount `retrainer-monitor` may: policies and runs of its own namespace."""

    def __init__(self, objects: client.CustomObjectsApi, namespace: str) -> None:
        self._objects = objects
        self._namespace = namespace

    async def policies(self) -> Sequence[Document]:
        """Return the ModelRetrainPolicies; raises ClusterUnavailable."""
        return await self._all("modelretrainpolicies")

    async def runs(self) -> Sequence[Document]:
        """Return the ModelRetrainRuns; raises ClusterUnavailable."""
        return await self._all("modelretrainruns")

    async def _all(self, plural: str) -> list[Document]:
        found: list[Document] = []
        more: dict[str, Any] = {}
        try:
            async with asyncio.timeout(LIST_SECONDS):
                while True:
                    page: Any = await self._objects.list_namespaced_custom_object(
                        GROUP, API_VERSION, self._namespace, plural, limit=PAGE, **more
                    )
                    found += page["items"]
                    token = page["metadata"].get("continue")
                    if not token:
                        return found
                    more = {"_continue": token}
        except client.ApiException as refused:
            raise ClusterUnavailable(f"{plural}: {refused.status} {refused.reason}") from None
        except (aiohttp.ClientError, OSError, TimeoutError) as fault:
            raise ClusterUnavailable(f"{plural}: {type(fault).__name__} {fault}") from None


@asynccontextmanager
async def namespace_objects(namespace: str) -> AsyncIterator[NamespaceObjects]:
    """Yield the objects as the pod's ServiceAccount sees them; BadConfiguration outside of a cluster."""
    configuration = client.Configuration()
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except config.ConfigException as missing:
        raise BadConfiguration(f"no ServiceAccount to read policies with: {missing}") from None
    async with client.ApiClient(configuration) as api:
        yield NamespaceObjects(client.CustomObjectsApi(api), namespace)

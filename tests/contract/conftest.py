"""The world of the Cluster port's contract: once in memory, once on a real API server."""

import uuid
from collections.abc import AsyncIterator

import pytest

from retrainer.adapters.api_server import ApiServer, Request
from retrainer.adapters.kubernetes import KubernetesCluster
from tests.contract.cluster_world import World
from tests.fakes import FakeApiServer, FakeCluster


@pytest.fixture(params=["fake", "real"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "fake":
        server = FakeApiServer()
        yield World(FakeCluster(server), FakeCluster(server, field_manager="neighbour"), "shop")
        return
    api = await ApiServer.load(request.getfixturevalue("control_plane").kubeconfig)
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await api.send(Request("create", "Namespace", namespace, "POST", "/api/v1/namespaces", body=body))
    yield World(KubernetesCluster(api), KubernetesCluster(api, field_manager="neighbour"), namespace)
    await api.send(Request("delete", "Namespace", namespace, "DELETE", f"/api/v1/namespaces/{namespace}"))
    await api.close()

"""How the real adapter takes an API server that is unwell or declines: against a server of this process that answers as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from retrainer.adapters.api_server import ApiServer, Limits
from retrainer.adapters.kubernetes import KubernetesCluster
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.errors import Conflict, NotFound, Refused, RetrainerError, Unavailable
from retrainer.server import Listener

REF = Ref(Kind.SERVICE, "shop", "churn")
SERVICE: Manifest = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "churn", "namespace": "shop"},
    "spec": {"secret": "s3cret"},
}
LIMITS = Limits(request_s=0.5, attempts=3, first_pause_s=0.001, longest_pause_s=1.0)


@dataclass
class Server:
    """Gives the planned answers in turn, then an empty object; None is no answer at all."""

    planned: list[web.Response | None] = field(default_factory=list)
    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    url: str = ""
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    def will(self, *statuses: int | None, message: str = "no", **headers: str) -> None:
        self.planned += [_answer(status, message, headers) if status else None for status in statuses]

    async def answer(self, request: web.Request) -> web.Response:
        self.requests.append((request.method, request.raw_path, dict(request.headers), await request.text()))
        planned = self.planned.pop(0) if self.planned else web.json_response(SERVICE)
        if planned is None:
            await self.ended.wait()
            return web.Response()
        return planned


def _answer(status: int, message: str, headers: dict[str, str]) -> web.Response:
    body = SERVICE if status < 300 else {"kind": "Status", "message": message}
    return web.json_response(body, status=status, headers={name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", server.answer)
    listener = Listener(app, 0, "127.0.0.1")
    await listener.start()
    server.url = f"http://127.0.0.1:{listener.port}"
    yield server
    server.ended.set()
    await listener.stop()


@pytest.fixture
def counted() -> list[tuple[str, str, str]]:
    return []


@pytest.fixture
async def cluster(server: Server, counted: list[tuple[str, str, str]]) -> AsyncIterator[KubernetesCluster]:
    configuration = Configuration(host=server.url)
    configuration.api_key["BearerToken"] = "bearer t0ken"
    cluster = KubernetesCluster(ApiServer(configuration, limits=LIMITS, observe=lambda *request: counted.append(request)))
    yield cluster
    await cluster.close()


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Refused), (403, Refused), (422, Refused), (404, NotFound), (409, Conflict), (401, Unavailable), (410, Unavailable)],
)
async def test_a_declined_request_is_told_in_the_servers_words_and_not_repeated(
    server: Server, cluster: KubernetesCluster, status: int, error: type[RetrainerError]
) -> None:
    server.will(status, message="spec.weight is too large")
    with pytest.raises(error, match=r"patch Service shop/churn: spec\.weight is too large") as raised:
        await cluster.patch(REF, {"spec": {"password": "s3cret"}})
    assert type(raised.value) is error
    assert len(server.requests) == 1
    assert "s3cret" not in str(raised.value)
    assert "t0ken" not in str(raised.value)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504, None])
async def test_what_may_pass_is_tried_again(
    server: Server, cluster: KubernetesCluster, counted: list[tuple[str, str, str]], status: int | None
) -> None:
    server.will(status, status)
    assert await cluster.get(REF) == SERVICE
    assert counted == [("get", "Service", str(status or 0))] * 2 + [("get", "Service", "200")]


async def test_what_does_not_pass_is_unavailable_after_a_few_attempts(server: Server, cluster: KubernetesCluster) -> None:
    server.will(503, 503, 503, 503)
    with pytest.raises(Unavailable):
        await cluster.apply(SERVICE)
    assert len(server.requests) == 3


async def test_the_server_says_how_long_to_wait(server: Server, cluster: KubernetesCluster) -> None:
    server.will(429, Retry_After="1")
    began = asyncio.get_running_loop().time()
    await cluster.get(REF)
    assert asyncio.get_running_loop().time() - began >= 1


async def test_a_long_wait_is_left_to_the_queue(server: Server, cluster: KubernetesCluster) -> None:
    server.will(429, Retry_After="30")
    with pytest.raises(Unavailable):
        await cluster.get(REF)
    assert len(server.requests) == 1


async def test_a_creation_whose_answer_was_lost_is_a_conflict(server: Server, cluster: KubernetesCluster) -> None:
    server.will(None, 409)
    with pytest.raises(Conflict):
        await cluster.create(SERVICE)


async def test_nobody_there_is_unavailable() -> None:
    cluster = KubernetesCluster(ApiServer(Configuration(host="http://127.0.0.1:1"), limits=LIMITS))
    with pytest.raises(Unavailable, match="no connection"):
        await cluster.get(REF)
    await cluster.close()


@pytest.mark.parametrize("kubeconfig", [None, Path("/nowhere/kubeconfig")])
async def test_without_a_way_to_an_api_server_loading_is_refused(monkeypatch: pytest.MonkeyPatch, kubeconfig: Path | None) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(Refused, match="no way to the API server"):
        await KubernetesCluster.load(kubeconfig)


async def test_an_answer_that_is_no_json_is_unavailable(server: Server, cluster: KubernetesCluster) -> None:
    server.planned += [web.Response(text="<html>") for _ in range(3)]
    with pytest.raises(Unavailable, match="no JSON object"):
        await cluster.get(REF)


async def test_the_requests_are_what_the_api_asks_for(server: Server, cluster: KubernetesCluster) -> None:
    await cluster.apply(SERVICE, force=True)
    await cluster.write_status(REF, {"a": 1})
    await cluster.delete(REF, uid="u-1")
    (apply, _, headers, _), status, delete = server.requests[0], server.requests[1], server.requests[2]
    assert apply == "PATCH"
    assert headers["Content-Type"] == "application/apply-patch+yaml"
    assert headers["Authorization"] == "bearer t0ken"
    assert server.requests[0][1].endswith("/services/churn?fieldManager=retrainer&force=true&fieldValidation=Strict")
    assert status[1].startswith("/api/v1/namespaces/shop/services/churn/status?")
    assert json.loads(status[3]) == [{"op": "add", "path": "/status", "value": {"a": 1}}]
    assert json.loads(delete[3]) == {"propagationPolicy": "Background", "preconditions": {"uid": "u-1"}}


async def test_a_long_list_is_read_page_by_page(server: Server, cluster: KubernetesCluster) -> None:
    pages = [
        {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "x=="}},
        {"items": [{"metadata": {"name": "b"}}], "metadata": {}},
    ]
    server.planned += [web.json_response(page) for page in pages]
    found = await cluster.list(Ref(Kind.SERVICE, "shop", ""), "app in (a,b)")
    assert [one["metadata"]["name"] for one in found] == ["a", "b"]
    assert found[0]["kind"] == "Service"
    assert server.requests[0][1] == "/api/v1/namespaces/shop/services?limit=500&labelSelector=app+in+(a,b)"
    assert server.requests[1][1].endswith("&continue=x%3D%3D")


@pytest.mark.parametrize("name", ["", ".", ".."])
async def test_a_name_that_would_be_another_path_is_refused(server: Server, cluster: KubernetesCluster, name: str) -> None:
    with pytest.raises(Refused):
        await cluster.delete(Ref(Kind.SERVICE, "shop", name))
    with pytest.raises(Refused):
        await cluster.get(Ref(Kind.SERVICE, name, "churn"))
    assert not server.requests


async def test_a_slash_in_a_name_stays_in_the_name(server: Server, cluster: KubernetesCluster) -> None:
    await cluster.get(Ref(Kind.SERVICE, "shop", "a/../b"))
    assert server.requests[0][1] == "/api/v1/namespaces/shop/services/a%2F..%2Fb"

"""The API server's answers, from a small HTTP server that gives them page by page."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.aio import client
from typing_extensions import override

from tests.monitor.builders import NAMESPACE, policy
from trainer.monitor.cluster import NamespaceObjects
from trainer.monitor.objects import ClusterUnavailable, Document

PATH = f"/apis/retrainer.dev/v1alpha1/namespaces/{NAMESPACE}/modelretrainpolicies"


class Answers(BaseHTTPRequestHandler):
    """Two pages of policies, and 403 for runs."""

    @override
    def log_message(self, *_: object) -> None:
        return

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path != PATH:
            self._answer(403, {"kind": "Status", "reason": "Forbidden"})
        elif parse_qs(parts.query).get("continue") == ["page-2"]:
            self._answer(200, {"metadata": {}, "items": [policy("v2", name="second")]})
        else:
            self._answer(200, {"metadata": {"continue": "page-2"}, "items": [policy("v1", name="first")]})

    def _answer(self, status: int, document: object) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def api_server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_all_pages_are_read(api_server: str) -> None:
    found = asyncio.run(_listed(api_server, "policies"))
    assert [document["metadata"]["name"] for document in found] == ["first", "second"]


def test_what_is_forbidden_is_unavailable_and_says_so(api_server: str) -> None:
    with pytest.raises(ClusterUnavailable, match="modelretrainruns: 403"):
        asyncio.run(_listed(api_server, "runs"))


def test_an_api_server_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(ClusterUnavailable):
        asyncio.run(_listed("http://127.0.0.1:1", "policies"))


async def _listed(host: str, kind: str) -> list[Document]:
    async with client.ApiClient(client.Configuration(host=host)) as api:
        objects = NamespaceObjects(client.CustomObjectsApi(api), NAMESPACE)
        return list(await (objects.policies() if kind == "policies" else objects.runs()))

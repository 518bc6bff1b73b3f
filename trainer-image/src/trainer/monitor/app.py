"""The monitor over HTTP: /metrics for Prometheus, /healthz for the kubelet."""

from collections.abc import Callable
from typing import Any

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE

from trainer.monitor.exposition import Exposition


class MonitorApp:
    """Answers from memory; no scrape waits for the database."""

    def __init__(self, exposition: Exposition, is_alive: Callable[[], bool]) -> None:
        self._exposition = exposition
        self._is_alive = is_alive

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        """Answer one request."""
        del receive
        status, body, content_type = self._answer(scope["method"], scope["path"])
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    def _answer(self, method: str, path: str) -> tuple[int, bytes, str]:
        if method == "GET" and path == "/metrics":
            return 200, self._exposition.text(), CONTENT_TYPE
        if method == "GET" and path == "/healthz":
            # A lost database or API server is no reason to restart; only rounds that no longer come are.
            alive = self._is_alive()
            return (200 if alive else 503), (b"ok\n" if alive else b"no round has ended for long\n"), "text/plain"
        return 404, b"try /metrics or /healthz\n", "text/plain"

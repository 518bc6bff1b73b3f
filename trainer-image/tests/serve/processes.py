"""Real serving processes, and clients that speak HTTP to them over real sockets."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

VERSION = "20261123-030000-1"
PATH = "/api/ml/predictions/churn-risk"
FORECAST_PATH = "/api/ml/predictions/workload-forecast"
SOURCES = Path(__file__).parents[2] / "src"


class Answer(NamedTuple):
    """One HTTP answer; header names are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Server(NamedTuple):
    """A serving process and where its log lines go."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def ask(self, method: str, path: str, body: bytes | None = None) -> Answer:
        """Return the answer to one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            return ask(connection, method, path, body)
        finally:
            connection.close()

    def predict(self, document: object) -> Answer:
        """Return the answer to a prediction request."""
        return self.ask("POST", PATH, json.dumps(document).encode())

    def forecast(self, document: object) -> Answer:
        """Return the answer to a request for a forecast."""
        return self.ask("POST", FORECAST_PATH, json.dumps(document).encode())

    def metric(self, name: str) -> float:
        """Return the value of a series that has no labels beside the model's."""
        labels = f'{{model_type="churn_risk",model_version="{VERSION}"}} '
        text = self.ask("GET", "/metrics").body.decode()
        return next(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name + labels))

    def terminate(self) -> int:
        """Send SIGTERM and return the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(30)

    def lines(self) -> list[dict[str, Any]]:
        """Return what was logged so far."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: bytes | None = None) -> Answer:
    """Return the answer to one request on a kept-alive connection."""
    connection.request(method, path, body)
    response = connection.getresponse()
    found = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, found, response.read())


def start(artifacts: Path, port: int, log: Path, **environment: str) -> Server:
    """Start `trainer serve` and return at once."""
    variables = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(SOURCES),
        "MODEL_VERSION": VERSION,
        "ARTIFACTS_PATH": str(artifacts),
        "PORT": str(port),
        "DRAIN_SECONDS": "0",
        **environment,
    }
    with log.open("wb") as stderr:
        process = subprocess.Popen([sys.executable, "-m", "trainer", "serve"], env=variables, stderr=stderr)
    return Server(process, port, log)


@contextmanager
def serving(artifacts: Path, **environment: str) -> Iterator[Server]:
    """Yield a process that is ready; it is killed at the end if it is still there."""
    server = start(artifacts, free_port(), artifacts.parent / f"serve-{time.monotonic_ns()}.log", **environment)
    try:
        eventually(lambda: is_ready(server))
        yield server
    finally:
        server.process.kill()
        server.process.wait()


def is_ready(server: Server) -> bool:
    """Whether /readyz says so; fails if the process has ended."""
    assert server.process.poll() is None, server.log.read_text()
    try:
        return server.ask("GET", "/readyz").status == 200
    except OSError:
        return False


def eventually(holds: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until the condition holds; fails if it never does."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.01)


def free_port() -> int:
    """Return a port of loopback that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port

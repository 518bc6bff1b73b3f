"""A process that is told to go loses no request of clients that follow `Connection: close`."""

import http.client
import signal
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from tests.artifacts import write_artifact
from tests.serve.processes import PATH, VERSION, Server, ask, eventually, free_port, is_ready, serving, start

BODY = b'{"features": {"member_age": 40}}'


class Service:
    """What a Kubernetes Service does for connections: new ones go to the present endpoint, old ones stay."""

    def __init__(self, endpoint: Server) -> None:
        self.endpoint = endpoint


class Client(threading.Thread):
    """Asks without pause until told to stop; keeps its connection unless an answer says close, or never keeps one."""

    def __init__(self, service: Service, *, keeps_alive: bool) -> None:
        super().__init__(daemon=True)
        self._service = service
        self._keeps_alive = keeps_alive
        self.stop = threading.Event()
        self.answered: Counter[tuple[int, int]] = Counter()
        self.failures: list[Exception] = []

    def run(self) -> None:
        connection: http.client.HTTPConnection | None = None
        while not self.stop.is_set():
            connection = connection or http.client.HTTPConnection("127.0.0.1", self._service.endpoint.port, timeout=10)
            try:
                answer = ask(connection, "POST", PATH, BODY)
            except (OSError, http.client.HTTPException) as failure:
                self.failures.append(failure)
                connection = None
                continue
            self.answered[connection.port, answer.status] += 1
            if not self._keeps_alive or answer.headers.get("connection") == "close":
                connection.close()
                connection = None
        if connection is not None:
            connection.close()


@pytest.fixture
def version(artifacts: Path) -> Path:
    write_artifact(artifacts, VERSION)
    return artifacts


def test_no_request_fails_while_clients_move_to_another_process(version: Path) -> None:
    with serving(version, DRAIN_SECONDS="2") as leaving, serving(version) as staying:
        service = Service(leaving)
        clients = [Client(service, keeps_alive=number % 4 != 0) for number in range(8)]
        for client in clients:
            client.start()
        eventually(lambda: all(sum(client.answered.values()) >= 50 for client in clients))
        leaving.process.send_signal(signal.SIGTERM)
        # As on a real node: the process hears of its end before the endpoint is gone, and still gets new connections.
        eventually(lambda: leaving.ask("GET", "/readyz").status == 503)
        before = sum(_answered_by(leaving, clients))
        eventually(lambda: sum(_answered_by(leaving, clients)) > before + 100)
        service.endpoint = staying
        eventually(lambda: all(answered > 50 for answered in _answered_by(staying, clients)))
        assert leaving.process.poll() is None, "clients had moved before the drain was over"
        assert leaving.process.wait(10) == 0
        for client in clients:
            client.stop.set()
        for client in clients:
            client.join(10)
    assert [failure for client in clients for failure in client.failures] == []
    assert {status for client in clients for _, status in client.answered} == {200}


def test_a_draining_process_is_alive_not_ready_and_closes_each_connection(version: Path) -> None:
    with serving(version, DRAIN_SECONDS="20") as server:
        kept = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        assert "connection" not in ask(kept, "POST", PATH, BODY).headers
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: server.ask("GET", "/readyz").status == 503)
        answers = [ask(kept, "POST", PATH, BODY), server.ask("POST", PATH, b"{"), server.ask("GET", "/healthz")]
        assert [answer.status for answer in answers] == [200, 400, 200]
        assert {answer.headers["connection"] for answer in answers} == {"close"}
        # A second signal cuts the drain short: whoever sends it does not want to wait.
        assert server.terminate() == 0


def test_what_is_in_flight_at_the_end_is_finished(version: Path) -> None:
    with serving(version, DRAIN_SECONDS="0") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
        connection.putrequest("POST", PATH)
        connection.putheader("content-length", str(len(BODY)))
        connection.endheaders(BODY[:5])
        eventually(lambda: server.ask("GET", "/healthz").status == 200)
        server.process.send_signal(signal.SIGTERM)
        eventually(lambda: _refuses_connections(server))
        connection.send(BODY[5:])
        assert connection.getresponse().status == 200
        assert server.process.wait(10) == 0


def test_a_signal_before_it_is_ready_ends_it_just_as_well(version: Path, tmp_path: Path) -> None:
    nowhere = "postgresql://127.0.0.1:1/platform"
    server = start(version, free_port(), tmp_path / "log", DATABASE_URL=nowhere, PROFILES_SECONDS="60")
    eventually(lambda: _is_listening(server))
    assert not is_ready(server)
    assert server.terminate() == 0


def _answered_by(server: Server, clients: list[Client]) -> list[int]:
    return [client.answered[server.port, 200] for client in clients]


def _refuses_connections(server: Server) -> bool:
    return not _is_listening(server)


def _is_listening(server: Server) -> bool:
    try:
        return server.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def test_a_drain_takes_its_time_even_without_clients(version: Path) -> None:
    with serving(version, DRAIN_SECONDS="1") as server:
        began = time.monotonic()
        assert server.terminate() == 0
        assert time.monotonic() - began >= 1

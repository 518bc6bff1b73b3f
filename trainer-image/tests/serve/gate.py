"""A gate before a real Postgres: closed, it is a database that cannot be reached, and whoever was inside is cut off."""

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit


class Gate:
    """A TCP proxy on loopback; `url` leads through it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self._listening = socket.create_server(("127.0.0.1", 0))
        port = self._listening.getsockname()[1]
        self.url = url.replace(f":{parts.port}/", f":{port}/")
        self._is_open = True
        self._inside: list[socket.socket] = []
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Cut off who is inside and let nobody in."""
        with self._lock:
            self._is_open = False
            for side in self._inside:
                _shut(side)
            self._inside.clear()

    def open(self) -> None:
        """Let clients in again."""
        with self._lock:
            self._is_open = True

    def end(self) -> None:
        """Close for good."""
        self.close()
        _shut(self._listening)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            with self._lock:
                if not self._is_open:
                    client.close()
                    continue
                server = socket.create_connection(self._target)
                self._inside += [client, server]
            threading.Thread(target=_carry, args=(client, server), daemon=True).start()


def _carry(client: socket.socket, server: socket.socket) -> None:
    with selectors.DefaultSelector() as ready, client, server:
        ready.register(client, selectors.EVENT_READ, server)
        ready.register(server, selectors.EVENT_READ, client)
        while True:
            for key, _ in ready.select():
                source: socket.socket = key.fileobj  # type: ignore[assignment]
                try:
                    if not (content := source.recv(65_536)):
                        return
                    key.data.sendall(content)
                except OSError:
                    return


def _shut(side: socket.socket) -> None:
    try:
        side.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


@contextmanager
def gate_before(url: str) -> Iterator[Gate]:
    """Yield an open gate before the database at `url`."""
    gate = Gate(url)
    try:
        yield gate
    finally:
        gate.end()

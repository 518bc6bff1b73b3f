"""A gate before a real server. Closed, it is a server that cannot be reached, and whoever was inside is cut off."""

import math
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class Gate:
    """A TCP proxy on loopback; `url` leads through it.

    It may let in so many bytes and hold what comes after them, as a network that is about to be lost: then `stalled`
    is set. `let_in` is how many the server got.
    """

    def __init__(self, url: str, lets_in: float = math.inf) -> None:
        parts = urlsplit(url)
        self._target = (parts.hostname, parts.port)
        self.let_in, self._lets_in = 0, lets_in
        self._listening = socket.create_server(("127.0.0.1", 0))
        host = parts.netloc.rpartition(":")[0]
        self.url = parts._replace(netloc=f"{host}:{self._listening.getsockname()[1]}").geturl()
        self.stalled = threading.Event()
        self._is_open = True
        self._inside: list[socket.socket] = []
        self._held: list[tuple[socket.socket, bytes]] = []
        self._lock = threading.Lock()
        _start(self._accept)

    def close(self) -> None:
        """Cut off who is inside and let nobody in."""
        with self._lock:
            self._is_open = False
            for side in self._inside:
                _shut(side)
            self._inside.clear()
            self._held.clear()

    def open(self) -> None:
        """Let clients in again."""
        with self._lock:
            self._is_open = True

    def let_all_in(self) -> None:
        """Pass on what is held, and hold nothing any more."""
        with self._lock:
            self._lets_in = math.inf
            for server, content in self._held:
                self._pass_on(server, content)
            self._held.clear()

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
            _start(_carry, client, lambda content, to=server: self._let_in(to, content), server)
            _start(_carry, server, client.sendall, client)

    def _let_in(self, server: socket.socket, content: bytes) -> None:
        with self._lock:
            if not self._is_open:
                return  # whoever sent it is being cut off
            if self.let_in < self._lets_in:
                self._pass_on(server, content)
            else:
                self._held.append((server, content))
                self.stalled.set()

    def _pass_on(self, server: socket.socket, content: bytes) -> None:
        self.let_in += len(content)
        server.sendall(content)


def _carry(source: socket.socket, deliver: Callable[[bytes], None], destination: socket.socket) -> None:
    """Deliver what comes until the source is gone; then the other side learns it, and nothing else."""
    with source, suppress(OSError):
        while content := source.recv(65_536):
            deliver(content)
    _shut(destination)


def _start(target: Callable[..., None], *args: object) -> None:
    threading.Thread(target=target, args=args, daemon=True).start()


def _shut(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)


@contextmanager
def gate_before(url: str, lets_in: float = math.inf) -> Iterator[Gate]:
    """Yield an open gate before the server at `url`."""
    gate = Gate(url, lets_in)
    try:
        yield gate
    finally:
        gate.end()

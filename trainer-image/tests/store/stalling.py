"""A network that carries so many bytes to a server and then no more, as one that is about to be lost."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit


class StallingNetwork:
    """A TCP proxy on loopback; `url` leads through it, `stalled` is set once the server has got that many bytes."""

    def __init__(self, url: str, carries: int) -> None:
        parts = urlsplit(url)
        self._target, self._left = (parts.hostname, parts.port), carries
        self._listening = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = [self._listening]
        self.url = f"{parts.scheme}://127.0.0.1:{self._listening.getsockname()[1]}"
        self.stalled = threading.Event()
        self._threads: list[threading.Thread] = []
        self._start(self._accept)

    def end(self) -> None:
        """Lose every connection."""
        for each in self._open:
            _shut(each)
        for thread in self._threads:
            thread.join()
        for each in self._open:
            each.close()

    def _start(self, carrying: Callable[..., None], *sides: socket.socket) -> None:
        thread = threading.Thread(target=carrying, args=sides, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            self._open += [client, server]
            self._start(self._carry_up, client, server)
            self._start(_carry_down, server, client)

    def _carry_up(self, client: socket.socket, server: socket.socket) -> None:
        """Carry until no more is carried; the server learns when the client is gone, and nothing else."""
        try:
            while content := client.recv(65_536):
                if self._left > 0:
                    server.sendall(content)
                    self._left -= len(content)
                else:
                    self.stalled.set()
        except OSError:
            pass
        finally:
            _shut(server)


def _carry_down(server: socket.socket, client: socket.socket) -> None:
    try:
        while content := server.recv(65_536):
            client.sendall(content)
    except OSError:
        return


def _shut(side: socket.socket) -> None:
    with suppress(OSError):
        side.shutdown(socket.SHUT_RDWR)


@contextmanager
def stalling_network(url: str, carries: int) -> Iterator[StallingNetwork]:
    """Yield the network before the server at `url`."""
    network = StallingNetwork(url, carries)
    try:
        yield network
    finally:
        network.end()

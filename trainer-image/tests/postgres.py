"""A Postgres of the tests' own: a real server on a temporary directory and port, ended with the tests."""

import grp
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LIBRARY = Path("/usr/lib/postgresql")
_UNPRIVILEGED_USERS = ("postgres", "nobody")


class Postgres:
    """A server that can be stopped, as a crash would, and started again on the same port and data."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._drop = _privilege_drop(directory)
        port = _free_port()
        self.url = f"postgresql://test@127.0.0.1:{port}/postgres"
        self._options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
        initdb = [str(_program("initdb")), "-D", str(directory / "data"), "-U", "test", "-A", "trust", "-E", "UTF8"]
        _run([*self._drop, *initdb], directory)

    def start(self) -> None:
        """Return once it answers."""
        self._control("-l", str(self._directory / "log"), "-o", self._options, "start")

    def stop(self) -> None:
        """End it without a word to its clients."""
        self._control("-m", "immediate", "stop")

    def _control(self, *arguments: str) -> None:
        control = [str(_program("pg_ctl")), "-D", str(self._directory / "data"), "-w", *arguments]
        _run([*self._drop, *control], self._directory)


@contextmanager
def stoppable_postgres() -> Iterator[Postgres]:
    """Yield a fresh server of the superuser `test` that runs; when it is given back it must run again."""
    directory = Path(tempfile.mkdtemp(prefix="trainer-postgres-"))
    try:
        server = Postgres(directory)
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def running_postgres() -> Iterator[str]:
    """Yield the URL of the superuser `test` of a fresh server; it ends in the database's name, `postgres`."""
    with stoppable_postgres() as server:
        yield server.url


def _program(name: str) -> Path:
    installed = sorted(_LIBRARY.glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    found = str(installed[-1]) if installed else shutil.which(name)
    if found is None:
        raise RuntimeError(f"the tests need Postgres: {name} is neither on the PATH nor under {_LIBRARY}")
    return Path(found)


def _privilege_drop(directory: Path) -> list[str]:
    """Return the command prefix that makes Postgres start: it refuses to run as root."""
    if os.geteuid() != 0:
        return []
    user = next(entry for entry in map(_account, _UNPRIVILEGED_USERS) if entry is not None)
    os.chown(directory, user.pw_uid, user.pw_gid)
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _account(name: str) -> pwd.struct_passwd | None:
    try:
        account = pwd.getpwnam(name)
        grp.getgrgid(account.pw_gid)
    except KeyError:
        return None
    return account


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _run(command: list[str], directory: Path) -> None:
    # pg_ctl leaves a server behind that keeps inherited descriptors open: output goes to a file, not to a pipe.
    with (directory / "output").open("ab") as output:
        done = subprocess.run(command, stdout=output, stderr=output, cwd=directory, check=False)  # noqa: S603 - fixed
    if done.returncode:
        raise RuntimeError(f"{command} failed:\n{(directory / 'output').read_text()}")

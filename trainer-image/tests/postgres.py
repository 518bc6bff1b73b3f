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


@contextmanager
def running_postgres() -> Iterator[str]:
    """Yield the URL of the superuser `test` of a fresh server; `{url}` ends in the database's name, `postgres`."""
    directory = Path(tempfile.mkdtemp(prefix="trainer-postgres-"))
    drop = _privilege_drop(directory)
    data, port = directory / "data", _free_port()
    options = f"-p {port} -k {directory} -c listen_addresses=127.0.0.1 -c fsync=off -c full_page_writes=off"
    control = str(_program("pg_ctl"))
    try:
        _run([*drop, str(_program("initdb")), "-D", str(data), "-U", "test", "-A", "trust", "-E", "UTF8"], directory)
        _run([*drop, control, "-D", str(data), "-l", str(directory / "log"), "-w", "-o", options, "start"], directory)
        try:
            yield f"postgresql://test@127.0.0.1:{port}/postgres"
        finally:
            _run([*drop, control, "-D", str(data), "-m", "immediate", "-w", "stop"], directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


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

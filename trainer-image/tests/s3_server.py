"""A real S3 server: versitygw over a directory, built from its Go module once and cached outside the tree."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.serve.processes import free_port

_REPOSITORY = Path(__file__).parents[2]
_KEY, _SECRET = "retrainer-tests", "not-a-secret-of-anybody"
_START_SECONDS = 20


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server; buckets are directories in `data`, where the tests may look and do damage."""

    endpoint: str
    data: Path

    @property
    def environment(self) -> dict[str, str]:
        """What a pod is given to reach it."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": _KEY,
            "AWS_SECRET_ACCESS_KEY": _SECRET,
        }

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its URL."""
        (self.data / name).mkdir()
        return f"s3://{name}"


@contextmanager
def running_s3() -> Iterator[S3Server]:
    """Yield a server on loopback that lives as long as the block."""
    program, port = _program(), free_port()
    home = Path(tempfile.mkdtemp(prefix="s3-"))
    data, beside = home / "data", home / "metadata"
    data.mkdir()
    beside.mkdir()
    environment = {"ROOT_ACCESS_KEY_ID": _KEY, "ROOT_SECRET_ACCESS_KEY": _SECRET}
    command = [program, "--port", f"127.0.0.1:{port}", "--quiet", "posix", "--sidecar", str(beside), str(data)]
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)  # noqa: S603 - built from our pin
    try:
        _wait_until_it_listens(process, port, home / "log")
        yield S3Server(f"http://127.0.0.1:{port}", data)
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(home, ignore_errors=True)


def _program() -> str:
    """Return the server's program: S3_SERVER, or the build of the repository's cluster tool."""
    if given := os.environ.get("S3_SERVER"):
        return given
    command = [str(_REPOSITORY / ".venv/bin/python"), "-m", "tests.cluster", "build", "versitygw"]
    built = subprocess.run(command, cwd=_REPOSITORY, check=True, stdout=subprocess.PIPE, text=True)  # noqa: S603 - fixed
    return built.stdout.splitlines()[-1]


def _wait_until_it_listens(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return

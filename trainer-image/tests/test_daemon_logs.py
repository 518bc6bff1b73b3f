"""How the two commands that run for ever log: JSON for whatever collects a pod's lines, plain lines on a terminal."""

import os
import pty
import subprocess
import sys

import orjson
import pytest

REFUSED = {"serve": "MODEL_VERSION is not set", "monitor": "no ServiceAccount to read policies with"}


def on_a_terminal(*arguments: str) -> str:
    """Return what the command, which refuses to start, writes to a terminal."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "trainer", *arguments],
        env={"PATH": os.environ["PATH"], "DATABASE_URL": "postgresql:///x", "POD_NAMESPACE": "members", "PORT": "0"},
        stderr=theirs,
    )
    os.close(theirs)
    written = b""
    try:
        while chunk := os.read(ours, 4096):
            written += chunk
    except OSError:
        pass  # the other end is closed: Linux says so with EIO
    os.close(ours)
    assert process.wait() == 43
    return written.decode()


@pytest.mark.parametrize("command", REFUSED)
def test_a_person_reads_sentences(command: str) -> None:
    assert f"BadConfiguration: {REFUSED[command]}" in on_a_terminal(command)
    assert "{" not in on_a_terminal(command)


@pytest.mark.parametrize("command", REFUSED)
def test_a_person_may_ask_for_what_machines_read(command: str) -> None:
    lines = [orjson.loads(line) for line in on_a_terminal(command, "--json").splitlines()]
    assert REFUSED[command] in lines[-1]["message"]
    assert lines[-1]["level"] == "ERROR"

"""A terminal that a command writes to, and what it wrote."""

import os
import pty
import subprocess
import sys


def on_a_terminal(*arguments: str, **environment: str) -> tuple[int, str]:
    """Run `trainer` with a terminal as its standard error; returns the exit code and what was written there."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(  # noqa: S603 - this very program
        [sys.executable, "-m", "trainer", *arguments],
        env={"PATH": os.environ["PATH"], "TERM": "xterm", "COLUMNS": "120", **environment},
        stdout=subprocess.DEVNULL,
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
    return process.wait(), written.decode()

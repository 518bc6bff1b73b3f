"""Running a program to its end: what it printed on success, the tail of it in the error."""

import os
import shutil
import subprocess
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.cluster.interface import ClusterError

_running: set[subprocess.Popen[str]] = set()
# What is under way must not go on when this process is killed: it would work against the next attempt.
_DIES_WITH_US = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
_CONTAINED = ("unshare", "--pid", "--mount-proc", "--fork", "--kill-child")


def run(
    argv: Sequence[str | Path],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: str | None = None,
    on_line: Callable[[str], None] | None = None,
    timeout: float = 1800,
    contained: bool = False,
) -> str:
    """Return the program's stdout; raise `ClusterError` with its last lines when it fails or takes too long.

    `contained` (for root) puts it into process and mount namespaces of its own: with it ends all that it started.
    `env` is added to this process's own. With `on_line` all it prints is passed on line by line while it runs.
    """
    if shutil.which(argv[0]) is None:
        raise ClusterError(f"there is no program {argv[0]}")
    process = subprocess.Popen(
        [*_DIES_WITH_US, *(_CONTAINED if contained else ()), *(str(part) for part in argv)],
        env={**os.environ, **(env or {})},
        cwd=cwd,
        stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE if on_line is None else subprocess.STDOUT,
        text=True,
        errors="replace",
    )
    _running.add(process)
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    try:
        out, err = _collect(process, stdin, on_line)
    finally:
        timer.cancel()
        _running.discard(process)
    if process.returncode != 0:
        command = " ".join(str(part) for part in argv[:4])
        tail = "\n".join(f"    {line}" for line in (out + err).splitlines()[-15:])
        raise ClusterError(f"`{command} …` ended with {process.returncode}:\n{tail}")
    return out


def _collect(process: subprocess.Popen[str], stdin: str | None, on_line: Callable[[str], None] | None) -> tuple[str, str]:
    if on_line is None:
        return process.communicate(stdin)
    assert process.stdout is not None
    kept: deque[str] = deque(maxlen=200)
    with process.stdout:
        for line in process.stdout:
            kept.append(line)
            on_line(line.rstrip())
    process.wait()
    return "".join(kept), ""


def stop_running() -> None:
    """End what `run` has under way in any thread: an interrupt reaches only the main one.

    Called by a signal handler, hence without a lock; copying a set is one step to the interpreter.
    """
    for process in _running.copy():
        process.terminate()

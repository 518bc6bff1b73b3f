"""Operators that begin at once: a process that has imported the operator forks one for each order it is given.

Apart from that each is what `python -m retrainer` is. What is saved is the processor's second and a half that the import takes, for every
death of a hundred. Run as `python -m tests.crash.nest` it reads orders, one a line, and answers each with a process id.
"""

import gc
import json
import os
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

from retrainer.__main__ import main as operate
from tests.integration.operator_process import OperatorProcess

_ROOT: Final = Path(__file__).parents[2]


class Nest:
    """The process that forks; it ends with whoever made it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nest"], cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def hatch(self, environment: Mapping[str, str], log: Path) -> "Forked":
        """Return an operator that has just begun."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"environment": dict(environment), "log": str(log)}) + "\n")
        self._process.stdin.flush()
        return Forked(int(self._process.stdout.readline()))

    def close(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            assert stream is not None
            stream.close()
        self._process.wait()


class Forked:
    """A process that is not our child, by its file descriptor: what a Popen does with one that is."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self._descriptor = os.pidfd_open(pid)

    def send_signal(self, number: int) -> None:
        """Signal it."""
        signal.pidfd_send_signal(self._descriptor, number)

    def terminate(self) -> None:
        """Ask it to end."""
        self.send_signal(signal.SIGTERM)

    def poll(self) -> int | None:
        """Return 0 when it has ended: only its parent knows how."""
        return 0 if self._has_ended(0) else None

    def wait(self, timeout: float | None = None) -> int:
        """Return when it has ended; TimeoutError when that takes longer."""
        if not self._has_ended(timeout):
            raise TimeoutError(f"process {self.pid} has not ended within {timeout} s")
        return 0

    def _has_ended(self, within: float | None) -> bool:
        return bool(select.select([self._descriptor], [], [], within)[0])


class NestOperator(OperatorProcess):
    """An operator whose processes come from a nest."""

    def __init__(self, nest: Nest, kubeconfig: Path, prometheus: str, home: Path) -> None:
        super().__init__(kubeconfig, prometheus, home)
        self._nest = nest

    def launch(self) -> None:
        """Start it and return at once."""
        self._process = self._nest.hatch(self._environment, self.log)


def _fork_by_order() -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them here
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        child = os.fork()
        if child == 0:
            _operate(order["environment"], order["log"])
        print(child, flush=True)


def _operate(environment: Mapping[str, str], log: str) -> NoReturn:
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    for stream, replaced in ((os.open(os.devnull, os.O_RDONLY), 0), (told, 1), (told, 2)):
        os.dup2(stream, replaced)
    os.environ.clear()
    os.environ.update(environment)
    try:
        operate()
    except SystemExit as end:
        print(end.code, file=sys.stderr)
    except BaseException:  # noqa: BLE001 - this process ends here, whatever it was
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(0)


if __name__ == "__main__":
    _fork_by_order()

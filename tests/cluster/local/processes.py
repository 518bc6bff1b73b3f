"""Starting a cluster's processes, waiting for them, and ending exactly those."""

import os
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.interface import ClusterError
from tests.cluster.local.record import Record, Started, is_alive, start_ticks

_TAIL_LINES = 12
_MISLEADING = {"KUBECONFIG", "GOFLAGS", "NOTIFY_SOCKET"}
# The shell waits until its id is on record and then becomes the program, under the same id. When this process dies
# before that, the shell reads the end of its input and leaves: there is no moment in which a process is unknown.
_RECORDED_FIRST = 'cd /; read -r go || exit 1; exec "$@" </dev/null'


@dataclass(frozen=True, slots=True)
class Processes:
    """The processes of one cluster, each with its log file."""

    record: Record
    logs: Path

    def start(self, name: str, argv: Sequence[str | Path], env: Mapping[str, str] | None = None) -> Started:
        """Start a program in a session of its own: the terminal's Ctrl-C is for the tool, not for the cluster."""
        self.logs.mkdir(parents=True, exist_ok=True)
        starting, go = os.pipe()
        with self._log(name).open("ab") as log, os.fdopen(starting, "rb") as waits, os.fdopen(go, "wb") as told:
            # Not subprocess: these outlive us, and its objects complain about children that nobody waits for.
            pid = os.posix_spawn(
                "/bin/sh",
                ["/bin/sh", "-c", _RECORDED_FIRST, name, *(str(part) for part in argv)],
                _environment(env or {}),
                file_actions=[
                    (os.POSIX_SPAWN_DUP2, waits.fileno(), 0),
                    (os.POSIX_SPAWN_DUP2, log.fileno(), 1),
                    (os.POSIX_SPAWN_DUP2, log.fileno(), 2),
                ],
                setsid=True,
            )
            started = Started(name, pid, start_ticks(pid) or 0)
            self.record.processes.append(started)
            self.record.write()
            told.write(b"go\n")
        return started

    def wait_for(self, what: str, probe: Callable[[], str], timeout: float) -> None:
        """Return once `probe` returns nothing; it returns (or raises as OSError) what it still waits for."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                seen = probe()
            except OSError as error:
                seen = str(error)
            if not seen:
                return
            for process in self.record.processes:
                if not is_alive(process):
                    raise ClusterError(f"{process.name} ended while waiting for {what}\n{self.tail(process.name)}")
            if time.monotonic() > deadline:
                logs = "\n".join(self.tail(process.name, 3) for process in self.record.processes)
                raise ClusterError(f"{what}: not after {timeout:.0f} s; last seen: {seen}\n{logs}")
            time.sleep(0.1)

    def stop(self, names: Sequence[str] | None = None, patience: float = 1.5) -> None:
        """End the recorded processes (or those named), last started first; what does not leave in time is killed."""
        doomed = [one for one in self.record.alive() if names is None or one.name in names]
        for process in reversed(doomed):
            _signal(process, signal.SIGTERM)
        deadline = time.monotonic() + patience
        while any(is_alive(one) for one in doomed) and time.monotonic() < deadline:
            _collect(doomed)
            time.sleep(0.05)
        for process in doomed:
            _signal(process, signal.SIGKILL)
        while any(is_alive(one) for one in doomed):
            _collect(doomed)
            time.sleep(0.02)
        self.record.processes = [one for one in self.record.processes if is_alive(one)]
        self.record.write()

    def tail(self, name: str, lines: int = _TAIL_LINES) -> str:
        """Return where a process's log is and its last lines."""
        path = self._log(name)
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        return f"  {path}:\n" + "\n".join(f"    {line[:300]}" for line in text.splitlines()[-lines:])

    def _log(self, name: str) -> Path:
        return self.logs / f"{name}.log"


def _environment(extra: Mapping[str, str]) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _MISLEADING}
    return {**kept, **extra}


def _signal(process: Started, number: signal.Signals) -> None:
    if is_alive(process):
        try:
            os.kill(process.pid, number)
        except ProcessLookupError:
            return


def _collect(processes: Sequence[Started]) -> None:
    """Take our own children's exit codes; those of an earlier invocation have another parent."""
    for process in processes:
        try:
            os.waitpid(process.pid, os.WNOHANG)
        except ChildProcessError:
            continue

"""The processes that run beside the story: each is started once, watched, and ended with it."""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

ENDS_WITHIN = 20.0
# What runs beside the story must not outlive it, however it ends.
DIES_WITH_US = ("setpriv", "--pdeathsig", "TERM", "--") if shutil.which("setpriv") else ()


@dataclass(slots=True)
class Companions:
    """Processes by name; whatever still runs is ended by `end_all`."""

    logs: Path
    _running: dict[str, "subprocess.Popen[str]"] = field(default_factory=dict)

    def start(self, name: str, module: str, *arguments: str) -> None:
        """Start a Python module of this repository; what it prints goes to `<name>.log`."""
        self.start_command(name, [sys.executable, "-m", module, *arguments])

    def start_command(self, name: str, command: Sequence[str], prints_to: Path | None = None) -> None:
        """Start a program; what it prints goes to `<name>.log`, or what is no complaint to another file."""
        self.logs.mkdir(parents=True, exist_ok=True)
        with (self.logs / f"{name}.log").open("w") as log, (prints_to or Path(os.devnull)).open("w") as printed:
            self._running[name] = subprocess.Popen(
                [*DIES_WITH_US, *command], stdin=subprocess.DEVNULL, stdout=printed if prints_to else log, stderr=log, text=True
            )

    def gone(self) -> Sequence[str]:
        """Return the names of those that ended though nobody asked them to."""
        return [name for name, process in self._running.items() if process.poll() is not None]

    def end(self, name: str) -> int:
        """End one and return its exit code; what does not listen is killed."""
        with self._running.pop(name) as process:
            process.terminate()
            try:
                return process.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                return process.wait()

    def await_end(self, name: str) -> int:
        """Return the exit code of one that ends by itself, or is ended when it takes too long for that."""
        try:
            self._running[name].wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            return self.end(name)
        with self._running.pop(name) as process:
            return process.returncode

    def end_if_there(self, name: str) -> None:
        """End one unless it has been ended before."""
        if name in self._running:
            self.end(name)

    def end_all(self) -> None:
        """End whatever still runs."""
        for name in list(self._running):
            self.end(name)

"""What the story tells: lines for people as they happen, the same as JSON lines, and a table of the steps at the end."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Step:
    """One step of the story: how long it took, None while it goes on."""

    title: str
    seconds: float | None = None


class Timeline:
    """Tells what happens, with the seconds since the story began."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", buffering=1)
        self._began = time.monotonic()
        self.steps: list[Step] = []

    def close(self) -> None:
        """Close the file; nothing is told after that."""
        self._file.close()

    @property
    def elapsed(self) -> float:
        """Seconds since the story began."""
        return time.monotonic() - self._began

    @contextmanager
    def step(self, title: str) -> Iterator[None]:
        """Tell that a step begins, and how long it took when it has gone well."""
        began = time.monotonic()
        step = Step(title)
        self.steps.append(step)
        self._print(f"\n{len(self.steps)}. {title}")
        yield
        step.seconds = time.monotonic() - began

    def tell(self, detail: str) -> None:
        """Tell one thing that has happened; it belongs on the record."""
        seconds = self.elapsed
        title = self.steps[-1].title if self.steps else "before the story"
        self._file.write(json.dumps({"t": round(seconds, 3), "step": title, "detail": detail}) + "\n")
        self._print(f"  [{seconds:6.1f} s] {detail}")

    def progress(self, detail: str) -> None:
        """Say what is being waited for; that is for people only."""
        self._print(f"  [{self.elapsed:6.1f} s] … {detail}")

    def table(self) -> str:
        """Return the steps with their times, one a line, and the sum."""
        width = max((len(step.title) for step in self.steps), default=0)
        rows = [
            f"  {number}. {step.title:<{width}}  {'did not finish' if step.seconds is None else f'{step.seconds:6.1f} s'}"
            for number, step in enumerate(self.steps, 1)
        ]
        return "\n".join([*rows, f"     {'in all':<{width}}  {self.elapsed:6.1f} s"])

    @staticmethod
    def _print(line: str) -> None:
        sys.stdout.write(f"{line}\n")
        sys.stdout.flush()

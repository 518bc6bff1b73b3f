"""The client's log: one JSON line a request, and the totals."""

import json
import math
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any


class Connection(StrEnum):
    """How a request reached the Service."""

    KEPT = "kept"
    NEW = "new"


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was due (`t`, Unix seconds), and what came of it `ms` milliseconds later.

    `status` is None and `error` says why where there was no whole answer in time; `version` is the one that answered.
    """

    t: float
    connection: Connection
    status: int | None
    error: str
    version: str
    ms: float

    @property
    def succeeded(self) -> bool:
        """Whether the caller got what it asked for."""
        return not self.error and self.status is not None and 200 <= self.status < 300


STDOUT = Path("-")


class Record:
    """Writes each answer at once, to a file or with `-` to standard output, and keeps the totals."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = sys.stdout if path == STDOUT else path.open("w")
        self._requests: Counter[Connection] = Counter()
        self._versions: Counter[str] = Counter()
        self._failed = 0
        self._milliseconds: list[float] = []

    def add(self, answer: Answer) -> None:
        """Write one line."""
        self._requests[answer.connection] += 1
        self._milliseconds.append(answer.ms)
        if answer.succeeded:
            self._versions[answer.version] += 1
        else:
            self._failed += 1
        self._write(asdict(answer))

    def close(self) -> Mapping[str, Any]:
        """Write the totals as the last line and return them."""
        totals = {
            "requests": sum(self._requests.values()),
            "failed": self._failed,
            "connections": dict(self._requests),
            "versions": dict(self._versions),
            "p50_ms": percentile(self._milliseconds, 50),
            "p99_ms": percentile(self._milliseconds, 99),
        }
        self._write({"totals": totals})
        if self._file is not sys.stdout:
            self._file.close()
        return totals

    def _write(self, line: Mapping[str, Any]) -> None:
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()


def percentile(values: Sequence[float], percent: float) -> float | None:
    """Return the nearest-rank percentile, None of nothing."""
    ordered = sorted(values)
    return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)], 3) if ordered else None

"""What the client's log and the observer's record say, read back by the story."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

Line = Mapping[str, Any]


def lines(path: Path) -> Iterator[Line]:
    """Yield the whole lines that are in a file of JSON lines by now."""
    if path.exists():
        for line in path.read_text().splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


def answers(log: Path, since: float = 0.0, until: float = float("inf")) -> Counter[str]:
    """Return how many requests that were due in a span of time each version answered; failed ones count as `failed`."""
    counted: Counter[str] = Counter()
    for line in lines(log):
        if "totals" not in line and since <= line["t"] < until:
            counted["failed" if line["error"] or line["status"] != 200 else line["version"]] += 1
    return counted


def last_answer(log: Path, version: str) -> float | None:
    """Return when a version answered for the last time (Unix seconds)."""
    return max((one["t"] + one["ms"] / 1000 for one in lines(log) if one.get("version") == version and not one["error"]), default=None)


def observations(record: Path, what: str) -> list[Line]:
    """Return what the observer wrote down under one heading."""
    return [line for line in lines(record) if line.get("what") == what]


def violations(record: Path) -> list[Line]:
    """Return the invariants that the observer saw broken."""
    return [line for line in lines(record) if line["kind"] == "violation"]


def totals(log: Path) -> Line:
    """Return the client's closing line, empty before it has ended."""
    return next((line["totals"] for line in lines(log) if "totals" in line), {})

"""The client's log: what callers of the Service saw."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from tests.observer.world import Violation


class ClientRecord:
    """Counts answers by version and keeps when each version answered last; every failed request is a violation."""

    name = "NoFailedRequest"

    def __init__(self) -> None:
        self._answers: Counter[str] = Counter()
        self._last: dict[str, float] = {}
        self.failed = 0

    def read(self, line: str) -> Sequence[Violation]:
        """Take one line of the log in; returns what it breaks."""
        entry = json.loads(line)
        if "totals" in entry:
            return ()
        answered = entry["t"] + entry["ms"] / 1000
        if entry["error"] or not 200 <= (entry["status"] or 0) < 300:
            self.failed += 1
            seen = f"status {entry['status']}, {entry['error'] or 'no error'}, {entry['connection']} connection, after {entry['ms']} ms"
            return (Violation(answered, self.name, "client", seen),)
        self._answers[entry["version"]] += 1
        self._last[entry["version"]] = max(answered, self._last.get(entry["version"], 0.0))
        return ()

    def summary(self) -> Mapping[str, Any]:
        """Return the counts for the closing line."""
        return {"answers": dict(self._answers), "lastAnswer": dict(self._last), "failed": self.failed}

"""The observer's own record: JSON lines of what it saw, what was wrong, and a summary at the end."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tests.observer.world import Violation


class Report:
    """Appends lines `{"t": Unix seconds, "kind": observation | violation | summary, …}` to a file, each written at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", buffering=1)
        self.violations = 0

    def observed(self, at: float, what: str, detail: Mapping[str, Any]) -> None:
        """Write down what was seen."""
        self._write(at, "observation", {"what": what, **detail})

    def violated(self, violation: Violation) -> None:
        """Write down what was wrong."""
        self.violations += 1
        fields = asdict(violation)
        self._write(fields.pop("at"), "violation", fields)

    def close(self, at: float, summary: Mapping[str, Any]) -> None:
        """Write the summary and close the file."""
        self._write(at, "summary", {"violations": self.violations, **summary})
        self._file.close()

    def _write(self, at: float, kind: str, fields: Mapping[str, Any]) -> None:
        self._file.write(json.dumps({"t": round(at, 3), "kind": kind, **fields}) + "\n")

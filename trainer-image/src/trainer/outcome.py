"""What a command tells the operator: the exit code and the termination message of the trainer contract."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path
from typing import Any

import orjson

# The kubelet keeps the last 4096 bytes; the contract allows 3 KiB.
MAX_MESSAGE_BYTES = 3 * 1024
_ELLIPSIS = "…"
_SHORT = 160


class ExitCode(IntEnum):
    """The exit codes of the trainer contract."""

    OK = 0
    FAULT = 1
    DATA_REJECTED = 42
    BAD_CONFIGURATION = 43


class Action(StrEnum):
    """What follows from a check that does not pass."""

    WARN = "Warn"
    REJECT = "Reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One look at the data: what was found, the limit it is held to, and what follows if it does not pass.

    `column` is empty for a check of the whole table.
    """

    name: str
    passed: bool
    value: float
    limit: float
    action: Action
    reason: str
    message: str
    column: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as an element of the message's `checks`."""
        subject = {"column": self.column} if self.column else {}
        return {
            "name": self.name,
            **subject,
            "passed": self.passed,
            "value": self.value,
            "limit": self.limit,
            "action": self.action.value,
        }


def message_bytes(document: Mapping[str, Any]) -> bytes:
    """Return the message as JSON of at most 3 KiB.

    What does not fit is left out in this order: warnings (the last ones first, with a count of them), checks that
    passed, all checks; at last long strings are cut.
    """
    for candidate in _shorter_and_shorter(dict(document)):
        content = orjson.dumps(candidate)
        if len(content) <= MAX_MESSAGE_BYTES:
            return content
    raise ValueError("the termination message does not fit 3 KiB")


def write_termination_message(path: Path, document: Mapping[str, Any]) -> None:
    """Write the message where the kubelet reads it, if it is there at all (it is not on a person's machine)."""
    if path.exists():
        path.write_bytes(message_bytes(document))


def _shorter_and_shorter(document: dict[str, Any]) -> Any:
    yield document
    warnings = [str(warning) for warning in document.get("warnings", ())]
    for kept in range(len(warnings) - 1, -1, -1):
        document = {**document, "warnings": [*warnings[:kept], f"{len(warnings) - kept} more warnings in the log"]}
        yield document
    failed = [check for check in document.get("checks", ()) if not check["passed"]]
    document = {**document, "checks": failed}
    yield document
    document.pop("checks")
    yield document
    yield {key: _cut(value) for key, value in document.items()}


def _cut(value: Any) -> Any:
    return f"{value[:_SHORT]}{_ELLIPSIS}" if isinstance(value, str) and len(value) > _SHORT else value

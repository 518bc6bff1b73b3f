"""The ends of a command that are not faults; `__main__` turns each into the contract's exit code and message."""

from collections.abc import Sequence

from trainer.outcome import Check


class BadConfiguration(Exception):  # noqa: N818 - the contract's word
    """Asked for something that cannot be: an unknown model, a missing variable. No retry will help; exit code 43."""

    reason = "BadConfiguration"


class DataRejected(Exception):  # noqa: N818 - the contract's word
    """The data must not be trained on; exit code 42. `reason` is CamelCase, `message` one sentence for a condition."""

    def __init__(
        self, reason: str, message: str, *, checks: Sequence[Check] = (), warnings: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
        self.checks = tuple(checks)
        self.warnings = tuple(warnings)

"""The one place that reads the time."""

from datetime import UTC, datetime

from typing_extensions import override

from retrainer.ports import Clock


class SystemClock(Clock):
    """The machine's clock."""

    @override
    def now(self) -> datetime:
        return datetime.now(UTC)

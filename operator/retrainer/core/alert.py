"""An alert as a level: it fires until it is resolved, or until it is no longer repeated."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of an Alertmanager notification; `(fingerprint, starts_at)` is its episode."""

    fingerprint: str
    firing: bool
    labels: tuple[tuple[str, str], ...]
    starts_at: datetime
    received_at: datetime
    message: str = ""

    @property
    def episode(self) -> tuple[str, datetime]:
        """What one run is started for, once."""
        return self.fingerprint, self.starts_at

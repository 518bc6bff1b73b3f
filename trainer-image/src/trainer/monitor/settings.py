"""The environment of a monitor, read once."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from trainer.daemon.environment import needed, port, seconds
from trainer.daemon.postgres import Database
from trainer.errors import BadConfiguration

SHORTEST_INTERVAL = 0.1
# A statement that takes longer is given up, so that its part of the evidence is missing and the other parts are not.
STATEMENT_SECONDS = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class MonitorSettings:
    """Which database and namespace; `database_secret` is the name and key of the Secret, None to take every policy."""

    database_url: str = field(repr=False)
    namespace: str
    database_secret: tuple[str, str] | None = None
    interval_seconds: float = 15.0
    port: int = 9101

    @property
    def database(self) -> Database:
        """The database; BadConfiguration if libpq cannot read the URL."""
        return Database(self.database_url, "retrainer-monitor", STATEMENT_SECONDS)

    @property
    def stale_seconds(self) -> float:
        """For how long evidence counts as present after the database last answered."""
        return max(30.0, 4 * self.interval_seconds)


def read_monitor_settings(environment: Mapping[str, str] = os.environ) -> MonitorSettings:
    """Return what the environment says; BadConfiguration names the variable that is missing or cannot be read."""
    interval = seconds(environment, "MONITOR_INTERVAL", 15.0)
    if interval < SHORTEST_INTERVAL:
        raise BadConfiguration(f"MONITOR_INTERVAL must be at least {SHORTEST_INTERVAL} s")
    return MonitorSettings(
        database_url=needed(environment, "DATABASE_URL"),
        namespace=needed(environment, "POD_NAMESPACE"),
        database_secret=database_secret(environment.get("DATABASE_SECRET", "")),
        interval_seconds=interval,
        port=port(environment, 9101),
    )


def database_secret(text: str) -> tuple[str, str] | None:
    """Return the name and key in `name/key`, None if it is empty; BadConfiguration for anything else."""
    if not text:
        return None
    name, _, key = text.partition("/")
    if not name or not key or "/" in key:
        raise BadConfiguration("DATABASE_SECRET must be name/key")
    return name, key

"""Connections to Postgres that notice a dead peer, and outages told once and without a secret."""

import logging
import random
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

import psycopg
from psycopg.conninfo import conninfo_to_dict

from trainer.errors import BadConfiguration

logger = logging.getLogger(__name__)

Connection: TypeAlias = psycopg.AsyncConnection[tuple[Any, ...]]

# What a lost, full, restarting or not yet migrated database raises; all of it may go away.
OUTAGES: Final = (psycopg.Error, OSError, TimeoutError)
BACKOFF_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)

# A peer that vanished without a word (a lost node, a cut network) is noticed in 15 s, not in the kernel's 15 minutes.
_LIVENESS = {
    "connect_timeout": 5,
    "keepalives": 1,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}


@dataclass(frozen=True, slots=True)
class Database:
    """Where the database is and who asks; raises BadConfiguration if libpq cannot read the URL.

    Statements that run longer than `statement_seconds` are ended by the server.
    """

    url: str = field(repr=False)
    application: str
    statement_seconds: float = 10.0

    def __post_init__(self) -> None:
        try:
            conninfo_to_dict(self.url)
        except psycopg.ProgrammingError:
            # libpq's message repeats the text that it could not read, so it is cut off as the cause, too.
            raise BadConfiguration("DATABASE_URL is not a libpq connection string") from None

    async def connect(self) -> Connection:
        """Return a connection in autocommit mode; raises one of OUTAGES."""
        connection = await psycopg.AsyncConnection.connect(
            self.url,
            autocommit=True,
            # Prepared statements break behind a pooler that shares connections, and nothing here would gain from them.
            prepare_threshold=None,
            application_name=self.application,
            **_LIVENESS,  # type: ignore[arg-type]
        )
        await connection.execute(f"SET statement_timeout = {int(self.statement_seconds * 1000)}")
        return connection

    def told(self, fault: BaseException) -> str:
        """Return the fault in one line, with the URL and its password blotted out."""
        text = " ".join(str(fault).split()) or "no message"
        for secret in (self.url, str(conninfo_to_dict(self.url).get("password") or "")):
            text = text.replace(secret, "***") if secret else text
        return f"{type(fault).__name__}: {text}"


class Outage:
    """Says how long to wait before the next try, and logs only the beginning and the end of an outage."""

    def __init__(self, database: Database, task: str) -> None:
        self._database = database
        self._task = task
        self._failures = 0

    def failed(self, fault: BaseException) -> float:
        """Return the seconds to wait: they grow to five, with jitter, so that many pods do not return at once."""
        if self._failures == 0:
            logger.warning("%s: the database does not answer: %s", self._task, self._database.told(fault))
        pause = BACKOFF_SECONDS[min(self._failures, len(BACKOFF_SECONDS) - 1)]
        self._failures += 1
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter

    def ended(self) -> None:
        """Note that the database answered."""
        if self._failures:
            logger.info("%s: the database answers again", self._task)
        self._failures = 0

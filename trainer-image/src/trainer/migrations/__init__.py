"""Brings the platform's database to the schema of this image; the only DDL there is, but for `seed`'s own tables."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic.command import upgrade
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, pool, text

from trainer.database import connect

# One lock for all migrations of one database: "retrain" in ASCII.
_ADVISORY_LOCK = int.from_bytes(b"retrain", "big")
_ASK_AGAIN_SECONDS = 0.2


def migrate(url: str, target: str = "head") -> list[str]:
    """Apply what is pending up to a revision and return what was, oldest first; [] if there was nothing to do.

    Safe to run twice and by several pods at once: one holds an advisory lock, the others wait and find nothing to do.
    Needs no more than a role that may create tables in the first schema of its search path.
    """
    with _locked(url) as connection:
        before = pending(connection, target)
        if before:
            config = _config()
            config.attributes["connection"] = connection
            upgrade(config, target)
        return before


def pending_revisions(url: str) -> list[str]:
    """Return the revisions that `migrate` would apply now, oldest first."""
    with _connected(url) as connection:
        return pending(connection)


def pending(connection: Connection, target: str = "head") -> list[str]:
    """Return the revisions from the database's to the target, this image's newest, oldest first."""
    scripts = ScriptDirectory.from_config(_config())
    current = MigrationContext.configure(connection).get_current_revision()
    revisions = [revision.revision for revision in scripts.iterate_revisions(target, current or "base")]
    connection.rollback()
    return revisions[::-1]


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    # The URL is libpq's, which knows more than SQLAlchemy's: psycopg opens the connection. No statement timeout: an
    # index on a large table takes what it takes.
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: connect(url, statement_timeout="0"), poolclass=pool.NullPool
    )
    with engine.connect() as connection:
        yield connection


@contextmanager
def _locked(url: str) -> Iterator[Connection]:
    with _connected(url) as connection:
        # The lock belongs to the session, not to a transaction, and goes with it even if the pod is killed. It is asked
        # for again and again: who waits for it inside of Postgres has a transaction open, for which the holder's
        # concurrent index would wait in turn.
        while not _is_locked(connection):
            time.sleep(_ASK_AGAIN_SECONDS)
        try:
            yield connection
            connection.commit()
        finally:
            connection.rollback()
            connection.execute(text("select pg_advisory_unlock(:key)"), {"key": _ADVISORY_LOCK})
            connection.commit()


def _is_locked(connection: Connection) -> bool:
    locked = connection.execute(text("select pg_try_advisory_lock(:key)"), {"key": _ADVISORY_LOCK}).scalar_one()
    connection.commit()
    return bool(locked)


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    return config

"""Fixtures that all tests share: one Postgres for the session, one fresh database a test."""

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import psycopg
import pytest

from tests.postgres import running_postgres
from tests.s3_server import S3Server, running_s3
from tests.stores import Kept, in_bucket, in_directory
from trainer.migrations import migrate

_NUMBERS = count(1)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a Postgres server that lives as long as the tests."""
    with running_postgres() as url:
        yield url


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Server]:
    """An S3 server that lives as long as the tests."""
    with running_s3() as server:
        yield server


@pytest.fixture(params=["directory", "bucket"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """An empty store of each kind."""
    return in_directory(tmp_path) if request.param == "directory" else in_bucket(request.getfixturevalue("s3"))


@pytest.fixture
def bucket(s3: S3Server) -> Kept:
    """An empty store in a bucket."""
    return in_bucket(s3)


@pytest.fixture
def empty_database(postgres: str) -> str:
    """The URL of a database with nothing in it."""
    return _created_database(postgres)


@pytest.fixture(scope="session")
def migrated(postgres: str) -> str:
    """The name of a database with this image's schema, which others are copies of."""
    url = _created_database(postgres)
    migrate(url)
    return url.rsplit("/", 1)[1]


@pytest.fixture
def database(postgres: str, migrated: str) -> str:
    """The URL of a database with this image's schema."""
    return _created_database(postgres, migrated)


@pytest.fixture
def new_database(postgres: str, migrated: str) -> Callable[[], str]:
    """Makes databases with this image's schema, for a test that needs several; returns their URLs."""
    return lambda: _created_database(postgres, migrated)


@pytest.fixture(scope="module")
def shared_database(postgres: str, migrated: str) -> str:
    """The URL of a database with this image's schema, one for all tests of a module."""
    return _created_database(postgres, migrated)


@pytest.fixture
def artifacts(tmp_path: Path) -> Path:
    """An empty directory of versions."""
    directory = tmp_path / "artifacts"
    directory.mkdir()
    return directory


def _created_database(postgres: str, template: str = "template1") -> str:
    name = f"test_{next(_NUMBERS)}"
    create = psycopg.sql.SQL("create database {} template {}")
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute(create.format(psycopg.sql.Identifier(name), psycopg.sql.Identifier(template)))
    return postgres.removesuffix("postgres") + name

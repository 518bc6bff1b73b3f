"""The two kinds of store, each real: a directory, and a bucket of an S3 server."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import pytest

from tests.s3_server import S3Server
from trainer.store import Store, open_store

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Kept:
    """A store, and the directory in which the test finds its files."""

    store: Store
    files: Path


@pytest.fixture(params=["directory", "bucket"])
def kept(request: pytest.FixtureRequest, tmp_path: Path) -> Kept:
    """An empty store of each kind."""
    make: dict[str, Callable[[], Kept]] = {
        "directory": lambda: Kept(open_store(str(tmp_path / "versions")), tmp_path / "versions"),
        "bucket": lambda: in_bucket(request.getfixturevalue("s3")),
    }
    return make[request.param]()


@pytest.fixture
def bucket(s3: S3Server) -> Kept:
    """An empty store in a bucket."""
    return in_bucket(s3)


def in_bucket(s3: S3Server) -> Kept:
    """A prefix in a new bucket of the server."""
    name = f"models-{next(_NUMBERS)}"
    url = s3.make_bucket(name)
    return Kept(open_store(f"{url}/members/churn-risk", s3.environment), s3.data / name / "members" / "churn-risk")

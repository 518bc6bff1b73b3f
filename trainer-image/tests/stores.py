"""Stores of both kinds for tests, each real: a directory, and a bucket of an S3 server."""

from dataclasses import dataclass
from itertools import count
from pathlib import Path

from tests.s3_server import S3Server
from trainer.store import Store, open_store

_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Kept:
    """A store, and the directory in which the test finds its files."""

    store: Store
    files: Path


def in_directory(parent: Path) -> Kept:
    """A store in a directory that is not there yet."""
    return Kept(open_store(str(parent / "versions")), parent / "versions")


def in_bucket(s3: S3Server) -> Kept:
    """A prefix in a new bucket of the server."""
    name = f"models-{next(_NUMBERS)}"
    url = s3.make_bucket(name)
    return Kept(open_store(f"{url}/members/churn-risk", s3.environment), s3.data / name / "members" / "churn-risk")

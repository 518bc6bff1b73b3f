"""Which store a location names."""

import os
from collections.abc import Mapping
from pathlib import Path

from trainer.errors import BadConfiguration
from trainer.store.directory import DirectoryStore
from trainer.store.interface import Store

_BUCKET = "s3://"


def is_bucket(location: str) -> bool:
    """Return whether the location is a bucket's URL and not a directory."""
    return location.startswith(_BUCKET)


def open_store(location: str, environment: Mapping[str, str] = os.environ) -> Store:
    """Return the store in a directory or at `s3://bucket/prefix`; BadConfiguration for what is neither.

    For a bucket the environment has AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
    """
    if is_bucket(location):
        # Only here: a server of a mounted volume need not load an S3 client.
        from trainer.store.bucket import open_bucket  # noqa: PLC0415

        return open_bucket(location, environment)
    if "://" in location:
        raise BadConfiguration(f"{location!r:.200} is neither a directory nor s3://bucket/prefix")
    return DirectoryStore(Path(location))

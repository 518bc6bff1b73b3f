"""Fetches a version from a bucket in a process that then ends, and takes the S3 client's memory with it.

A server reads its version once. What an S3 client needs for that would stay with it for its whole life: a fifth of the
memory that a serving pod may have.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from typing import BinaryIO

import orjson

from trainer.artifact import ArtifactRejected, Files, Held
from trainer.artifact.loading import limit_of
from trainer.artifact.manifest import FILE_NAMES, MANIFEST_NAME
from trainer.errors import BadConfiguration
from trainer.store.interface import StoreUnavailable
from trainer.store.opening import is_bucket, open_store

_ERRORS = {"BadConfiguration": BadConfiguration, "StoreUnavailable": StoreUnavailable}


def fetched(location: str, version: str, environment: Mapping[str, str] = os.environ) -> Files:
    """Return the version's files: those of a directory where they are, those of a bucket in memory.

    Raises what a store raises; ArtifactRejected for a file that is longer than it may be.
    """
    if not is_bucket(location):
        return open_store(location).version(version)
    command = [sys.executable, "-P", "-m", "trainer.store.fetching", location, version]
    answer = subprocess.run(command, env=dict(environment), stdout=subprocess.PIPE, check=True).stdout  # noqa: S603
    head, _, body = answer.partition(b"\n")
    return _read_back(orjson.loads(head), body, f"{location}/{version}")


def _read_back(head: Mapping[str, str | int], body: bytes, location: str) -> Held:
    if (error := head.get("error")) is not None:
        raise _ERRORS.get(str(error), StoreUnavailable)(str(head["message"]))
    if (reason := head.get("reason")) is not None:
        raise ArtifactRejected(str(reason), str(head["message"]))
    contents, start = {}, 0
    for name, size in head.items():
        contents[name] = body[start : start + int(size)]
        start += int(size)
    return Held(contents, location)


def _fetch(location: str, version: str, output: BinaryIO) -> None:
    """Write one line of JSON, the sizes by name or what went wrong, and then the files one after the other."""
    contents: dict[str, bytes] = {}
    head: Mapping[str, str | int]
    try:
        files = open_store(location).version(version)
        for name in (MANIFEST_NAME, *FILE_NAMES):
            contents[name] = files.read(name, limit_of(name))
        head = {name: len(content) for name, content in contents.items()}
    except ArtifactRejected as rejected:
        head = {"reason": rejected.reason, "message": rejected.message}
    except (BadConfiguration, StoreUnavailable) as error:
        head = {"error": type(error).__name__, "message": str(error)}
    output.write(orjson.dumps(head) + b"\n")
    if "message" not in head:
        output.writelines(contents.values())


if __name__ == "__main__":
    _fetch(sys.argv[1], sys.argv[2], sys.stdout.buffer)

"""Where the files of a version are read from: a directory, or memory before they are written anywhere."""

import errno
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from trainer.artifact.errors import ArtifactRejected

# What `open` says to a link, a socket, a directory: the file is not what it should be, and never will be.
_NOT_A_FILE = frozenset({errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.ENOTDIR, errno.EACCES})


class Files(Protocol):
    """The files of one version, wherever it is kept."""

    @property
    def location(self) -> str:
        """Where the version is, for people: a path or a URL."""

    def read(self, name: str, limit: int) -> bytes:
        """Return a file of at most `limit` bytes; ArtifactRejected if it is not there, not a file, or longer."""


@dataclass(frozen=True, slots=True)
class Directory:
    """A directory of files; none is read through a link, and nothing but regular files is read."""

    path: Path

    @property
    def location(self) -> str:
        return str(self.path)

    def read(self, name: str, limit: int) -> bytes:
        try:
            descriptor = self._opened(name)
        except FileNotFoundError:
            raise missing(name, self.location) from None
        except OSError as error:
            if error.errno not in _NOT_A_FILE:
                raise
            raise ArtifactRejected("FileUnreadable", f"{name} cannot be read: {error.strerror}") from None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ArtifactRejected("FileUnreadable", f"{name} is not a regular file")
        with open(descriptor, "rb") as file:  # noqa: PTH123 - the descriptor was opened without following links
            content = file.read(limit + 1)
        if len(content) > limit:
            raise too_large(name, limit)
        return content

    def _opened(self, name: str) -> int:
        # Neither the file nor the directory itself may be a link: it could lead to another policy's version.
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            return os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
        finally:
            os.close(directory)


@dataclass(frozen=True, slots=True)
class Held:
    """Files in memory, by name: a version that is not written yet."""

    contents: Mapping[str, bytes]
    location: str = "memory"

    def read(self, name: str, limit: int) -> bytes:
        content = self.contents.get(name)
        if content is None:
            raise missing(name, self.location)
        if len(content) > limit:
            raise too_large(name, limit)
        return content


def missing(name: str, location: str) -> ArtifactRejected:
    return ArtifactRejected("FileMissing", f"{name} is missing in {location}")


def too_large(name: str, limit: int) -> ArtifactRejected:
    return ArtifactRejected("FileTooLarge", f"{name} is longer than {limit} bytes")

"""What the commands ask of a store."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from trainer.artifact.files import Files

CHECKPOINTS = ".checkpoints"


class StoreUnavailable(Exception):  # noqa: N818 - a condition, not a bug
    """The store did not answer; what it holds is not known. A fault that may go away."""


@dataclass(frozen=True, slots=True)
class Contents:
    """What a store holds: whole versions, and what unfinished or finished trainings left behind.

    `leftovers` are keys for `remove`, each with the version whose training made it: parts of a version that was never
    completed, and checkpoints.
    """

    versions: frozenset[str] = frozenset()
    leftovers: Mapping[str, str] = field(default_factory=dict)


class Store(Protocol):
    """One policy's versions. A version has its name only while it is whole; it never changes.

    All methods raise StoreUnavailable where the store does not answer, and BadConfiguration where it refuses.
    """

    @property
    def location(self) -> str:
        """Where it is, for people: a path or a URL."""

    def version(self, name: str) -> Files:
        """Return the files of a version, which need not be there."""

    def holds(self, name: str) -> bool:
        """Return whether the version is there, sound or not."""

    def create(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write a version whole or not at all; the last of `files` completes it. FileExistsError if it is there."""

    def read(self, key: str, limit: int) -> bytes | None:
        """Return a file that is no part of a version, None if it is not there or longer than `limit` bytes."""

    def replace(self, key: str, content: bytes) -> None:
        """Write a file that is no part of a version; readers see all of the old one or all of the new one."""

    def remove(self, key: str) -> None:
        """Remove a version, a leftover or a file, and all below it; a version loses its name first."""

    def contents(self) -> Contents:
        """Return what is there."""

"""The rows that a network is fitted on: all in memory, or in files that are read one after the other."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


class RowSource(Protocol):
    """Rows to be passed over again and again."""

    @property
    def is_streamed(self) -> bool:
        """Whether they are elsewhere, and reading them takes time."""

    def blocks(self, order: np.random.Generator) -> Iterable["Rows"]:
        """Return all rows once, in blocks that are each like the whole, in an order that the generator decides."""

    def digest(self) -> bytes:
        """Return what is the same only for the same rows."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Encoded rows: inputs [n, width], targets [n], weights [n] (how often each is drawn)."""

    inputs: Floats
    targets: Floats
    weights: NDArray[np.float64]

    @property
    def is_streamed(self) -> bool:
        """They are here."""
        return False

    def blocks(self, order: np.random.Generator) -> Iterable["Rows"]:  # noqa: ARG002 - there is only one
        """Return the rows as one block."""
        return [self]

    def digest(self) -> bytes:
        """Return a hash of all values."""
        digest = hashlib.sha256()
        for array in (self.inputs, self.targets, self.weights):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.digest()


@dataclass(frozen=True, slots=True)
class StreamedRows:
    """Rows that `read` brings, block by block; `identity` is what the same rows have in common."""

    read: Callable[[np.random.Generator], Iterator[Rows]]
    identity: str

    @property
    def is_streamed(self) -> bool:
        """They are elsewhere."""
        return True

    def blocks(self, order: np.random.Generator) -> Iterable[Rows]:
        """Return the blocks as they come."""
        return self.read(order)

    def digest(self) -> bytes:
        """Return the identity."""
        return self.identity.encode()

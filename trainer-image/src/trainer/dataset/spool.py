"""All rows of a table that is larger than memory should be, encoded, in files that hold a random share of them each."""

import hashlib
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from trainer.dataset.reading import Dataset
from trainer.encoding import Encoder

_SHARE_BYTES = 4 << 20
_FEWEST_SHARES = 4


@dataclass(frozen=True, slots=True)
class Share:
    """Some rows, drawn at random: the day and label of each, the columns that the task needs, and encoded inputs."""

    days: NDArray[np.datetime64]
    labels: NDArray[np.float64]
    needs: dict[str, NDArray[Any]]
    inputs: NDArray[np.float32]


class Spool:
    """Rows on disk as float32, scattered so that each file is a sample of the whole.

    To read the files one after the other, in a new order each time, shuffles the table without holding it.
    The files go with the object.
    """

    def __init__(self, encoder: Encoder, needs: tuple[str, ...], bytes_expected: int, seed: int) -> None:
        self._encoder, self._needs = encoder, needs
        self._width = 2 + len(needs) + encoder.width
        directory = tempfile.mkdtemp(prefix="trainer-spool-")
        finalize(self, shutil.rmtree, directory, ignore_errors=True)
        count = max(_FEWEST_SHARES, round(bytes_expected / _SHARE_BYTES))
        self._files = [Path(directory, f"{index}.f32") for index in range(count)]
        self._generator = np.random.default_rng(seed)
        self._hash = hashlib.sha256()

    def fill(self, blocks: Iterable[Dataset]) -> None:
        """Encode and scatter all rows."""
        handles = [path.open("ab") for path in self._files]
        try:
            for block in blocks:
                records = self._records(block)
                destinations = self._generator.integers(len(handles), size=len(records))
                order = np.argsort(destinations, kind="stable")
                ends = np.searchsorted(destinations[order], np.arange(len(handles)), side="right")
                for handle, part in zip(handles, np.split(records[order], ends[:-1]), strict=True):
                    handle.write(part.tobytes())
                self._hash.update(records.tobytes())
        finally:
            for handle in handles:
                handle.close()

    @property
    def digest(self) -> str:
        """What is the same only for the same rows in the same order."""
        return self._hash.hexdigest()

    def shares(self, before: date, order: np.random.Generator) -> Iterator[Share]:
        """Yield the rows of days before `before`, file by file in a random order."""
        for index in order.permutation(len(self._files)):
            records = np.fromfile(self._files[index], dtype=np.float32).reshape(-1, self._width)
            days = records[:, 0].astype(np.int64).astype("datetime64[D]")
            chosen = days < np.datetime64(before)
            if chosen.any():
                yield self._share(days[chosen], records[chosen])

    def rows_before(self, before: date) -> int:
        """Return how many rows are of days before `before`."""
        return sum(len(share.days) for share in self.shares(before, np.random.default_rng(0)))

    def _records(self, block: Dataset) -> NDArray[np.float32]:
        records = np.empty((len(block), self._width), dtype=np.float32)
        records[:, 0] = block.days.astype(np.int64)
        records[:, 1] = block.labels
        for index, name in enumerate(self._needs):
            records[:, 2 + index] = block.columns[name]
        records[:, 2 + len(self._needs) :] = self._encoder.encode_columns(block.columns, len(block))
        return records

    def _share(self, days: NDArray[np.datetime64], records: NDArray[np.float32]) -> Share:
        first = 2 + len(self._needs)
        needs = {name: records[:, 2 + index].astype(np.float64) for index, name in enumerate(self._needs)}
        return Share(days, records[:, 1].astype(np.float64), needs, records[:, first:])

"""The labelled rows of the training table as they come from Postgres: by COPY, a few MiB at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

from trainer.dataset.reading import Dataset, Floats, in_window, joined
from trainer.dataset.series import rows_of_series
from trainer.models.base import FeatureKind, ModelDefinition
from trainer.progress import counted

_BLOCK_BYTES = 4 << 20
_BYTES_A_VALUE = 8


@dataclass(frozen=True, slots=True)
class Source:
    """The labelled rows of the window that ends with the day `last`, with these columns; read anew each time.

    `rows` are those of the table that are read: a series' also from before the window, as its features look back.
    """

    connection: Connection
    model: ModelDefinition
    kinds: Mapping[str, FeatureKind]
    last: date
    window: timedelta
    rows: int
    bytes_in_memory: int
    """About how much memory all rows would take."""

    @classmethod
    def of(
        cls,
        connection: Connection,
        model: ModelDefinition,
        kinds: Mapping[str, FeatureKind],
        last: date,
        window: timedelta,
    ) -> Self:
        """Return it, its rows counted."""
        query = SQL("select count(*), count(*) filter (where {}) from {} where {} is not null and {}").format(
            in_window(model, last, window),
            Identifier(model.table),
            Identifier(model.label_column),
            in_window(model, last, window + _context(model)),
        )
        read, targets = connection.execute(query).fetchone() or (0, 0)
        windows, width = model.windows, len(kinds) + 2
        values = targets * width if windows is None else targets * windows.horizon * (width + len(windows.names))
        return cls(connection, model, kinds, last, window, read, values * _BYTES_A_VALUE)

    def every(self, stride: int) -> Dataset:
        """Return each `stride`-th row, oldest first: 1 is all, more is a sample that is spread evenly over the days."""
        parts, seen = [], 0
        for block in self.blocks(f"read {self.model.table}"):
            chosen = (np.arange(len(block)) + seen) % stride == 0
            seen += len(block)
            parts.append(block.where(chosen))
        return joined(parts) if parts else _parsed(BytesIO(), self.model, self.kinds).rows

    def blocks(self, task: str) -> Iterator[Dataset]:
        """Yield all rows, some ten thousand at a time; of series, each time those of some whole series.

        How far it is is shown under the name of the task.
        """
        windows = self.model.windows
        read = counted(task, self.rows, self._read())
        if windows is None:
            for part in read:
                yield part.rows
            return
        first_target = self.last - self.window + timedelta(days=1)
        for rows, ids in _whole_series(read):
            yield rows_of_series(rows, ids, windows, first_target)

    def _read(self) -> Iterator["_Part"]:
        # Of a series' day come as many rows as the horizon has days.
        full = _BLOCK_BYTES // (self.model.windows.horizon if self.model.windows is not None else 1)
        block = BytesIO()
        with self.connection.cursor().copy(SQL("copy ({}) to stdout (format csv)").format(self._query())) as copy:
            # Each message is one whole row, also if a text in it has line ends.
            for row in copy:
                block.write(row)
                if block.tell() >= full:
                    yield _parsed(block, self.model, self.kinds)
                    block = BytesIO()
        if block.tell():
            yield _parsed(block, self.model, self.kinds)

    def _query(self) -> Composed:
        model, window = self.model, self.window + _context(self.model)
        order = (model.date_column, model.id_column)
        if model.windows is not None:
            order = (model.id_column, model.date_column)
        return SQL("select {} from {} where {} is not null and {} order by {}").format(
            SQL(", ").join(map(Identifier, (model.id_column, model.date_column, model.label_column, *self.kinds))),
            Identifier(model.table),
            Identifier(model.label_column),
            in_window(model, self.last, window),
            SQL(", ").join(map(Identifier, order)),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows as they were read, and whose each is."""

    rows: Dataset
    ids: NDArray[Any]

    def __len__(self) -> int:
        return len(self.ids)


def _context(model: ModelDefinition) -> timedelta:
    return model.windows.context if model.windows is not None else timedelta()


def _whole_series(parts: Iterable[_Part]) -> Iterator[tuple[Dataset, NDArray[Any]]]:
    """Yield rows by series; the last series of a part may go on in the next and waits for it."""
    waiting: list[tuple[Dataset, NDArray[Any]]] = []
    for part in parts:
        rows, ids = part.rows, part.ids
        is_last = ids == ids[-1]
        if not is_last.all():
            yield _together([*waiting, (rows.where(~is_last), ids[~is_last])])
            waiting = []
        waiting.append((rows.where(is_last), ids[is_last]))
    if waiting:
        yield _together(waiting)


def _together(parts: list[tuple[Dataset, NDArray[Any]]]) -> tuple[Dataset, NDArray[Any]]:
    ids = np.concatenate([ids for _, ids in parts])
    days = np.concatenate([rows.days for rows, _ in parts])
    return joined([rows for rows, _ in parts]), ids[np.argsort(days, kind="stable")]


def _parsed(block: BytesIO, model: ModelDefinition, kinds: Mapping[str, FeatureKind]) -> _Part:
    texts = [model.id_column, *(name for name, kind in kinds.items() if kind is FeatureKind.CATEGORICAL)]
    names = [model.id_column, model.date_column, model.label_column, *kinds]
    block.seek(0)
    # Only the empty field is missing: a member may well be called "NA".
    frame = pd.read_csv(
        block, names=names, header=None, dtype=dict.fromkeys(texts, object), keep_default_na=False, na_values=[""]
    )
    columns = {name: _values(frame[name], kind) for name, kind in kinds.items()}
    days = frame[model.date_column].to_numpy(dtype="datetime64[D]")
    label = FeatureKind.BOOLEAN if model.task.label_is_boolean else FeatureKind.NUMERIC
    return _Part(Dataset(days, _values(frame[model.label_column], label), columns), frame[model.id_column].to_numpy())


def _values(column: "pd.Series[Any]", kind: FeatureKind) -> NDArray[Any]:
    match kind:
        case FeatureKind.NUMERIC:
            return np.asarray(column, dtype=np.float64)
        case FeatureKind.BOOLEAN:
            return _booleans(column)
        case FeatureKind.CATEGORICAL:
            return np.array([value if isinstance(value, str) else None for value in column], dtype=object)


def _booleans(column: "pd.Series[Any]") -> Floats:
    return np.asarray(column.map({"t": 1.0, "f": 0.0}), dtype=np.float64)

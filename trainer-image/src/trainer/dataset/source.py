"""The labelled rows of the training table as they come from Postgres: by COPY, a few MiB at a time."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier

from trainer.dataset.reading import Dataset, Floats, in_window, joined
from trainer.dataset.series import rows_of_series
from trainer.models.base import FeatureKind, ModelDefinition

_BLOCK_BYTES = 4 << 20
_BYTES_A_VALUE = 8


@dataclass(frozen=True, slots=True)
class Source:
    """The labelled rows of the window that ends with the day `last`, with these columns; read anew each time."""

    connection: Connection
    model: ModelDefinition
    kinds: Mapping[str, FeatureKind]
    last: date
    window: timedelta

    def bytes_in_memory(self) -> int:
        """Return about how much memory all rows would take."""
        query = SQL("select count(*) from {} where {} is not null and {}").format(
            Identifier(self.model.table),
            Identifier(self.model.label_column),
            in_window(self.model, self.last, self.window),
        )
        row = self.connection.execute(query).fetchone()
        rows, windows = (row[0] if row is not None else 0), self.model.windows
        if windows is None:
            return int(rows) * _BYTES_A_VALUE * (len(self.kinds) + 2)
        return int(rows) * windows.horizon * _BYTES_A_VALUE * (len(self.kinds) + len(windows.names) + 2)

    def every(self, stride: int) -> Dataset:
        """Return each `stride`-th row, oldest first: 1 is all, more is a sample that is spread evenly over the days."""
        parts, seen = [], 0
        for block in self.blocks():
            chosen = (np.arange(len(block)) + seen) % stride == 0
            seen += len(block)
            parts.append(block.where(chosen))
        return joined(parts) if parts else _parsed(BytesIO(), self.model, self.kinds)[0]

    def blocks(self) -> Iterator[Dataset]:
        """Yield all rows, some ten thousand at a time; of series, each time those of some whole series."""
        windows = self.model.windows
        if windows is None:
            for rows, _ in self._read():
                yield rows
            return
        first_target = self.last - self.window + timedelta(days=1)
        for rows, ids in self._whole_series():
            yield rows_of_series(rows, ids, windows, first_target)

    def _whole_series(self) -> Iterator[tuple[Dataset, NDArray[Any]]]:
        """Yield rows by series; the last series of a block may go on in the next and waits for it."""
        waiting: list[tuple[Dataset, NDArray[Any]]] = []
        for rows, ids in self._read():
            is_last = ids == ids[-1]
            if not is_last.all():
                yield _together([*waiting, (rows.where(~is_last), ids[~is_last])])
                waiting = []
            waiting.append((rows.where(is_last), ids[is_last]))
        if waiting:
            yield _together(waiting)

    def _read(self) -> Iterator[tuple[Dataset, NDArray[Any]]]:
        block = BytesIO()
        with self.connection.cursor().copy(SQL("copy ({}) to stdout (format csv)").format(self._query())) as copy:
            # Each message is one whole row, also if a text in it has line ends.
            for row in copy:
                block.write(row)
                if block.tell() >= _BLOCK_BYTES:
                    yield _parsed(block, self.model, self.kinds)
                    block = BytesIO()
        if block.tell():
            yield _parsed(block, self.model, self.kinds)

    def _query(self) -> Composed:
        model, window = self.model, self.window
        order = (model.date_column, model.id_column)
        if model.windows is not None:
            window += timedelta(days=model.windows.context)
            order = (model.id_column, model.date_column)
        return SQL("select {} from {} where {} is not null and {} order by {}").format(
            SQL(", ").join(map(Identifier, (model.id_column, model.date_column, model.label_column, *self.kinds))),
            Identifier(model.table),
            Identifier(model.label_column),
            in_window(model, self.last, window),
            SQL(", ").join(map(Identifier, order)),
        )


def _together(parts: list[tuple[Dataset, NDArray[Any]]]) -> tuple[Dataset, NDArray[Any]]:
    ids = np.concatenate([ids for _, ids in parts])
    days = np.concatenate([rows.days for rows, _ in parts])
    return joined([rows for rows, _ in parts]), ids[np.argsort(days, kind="stable")]


def _parsed(block: BytesIO, model: ModelDefinition, kinds: Mapping[str, FeatureKind]) -> tuple[Dataset, NDArray[Any]]:
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
    return Dataset(days, _values(frame[model.label_column], label), columns), frame[model.id_column].to_numpy()


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

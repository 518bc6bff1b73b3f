"""Reads the labelled rows of the window from Postgres, by COPY, into plain arrays."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from io import BytesIO
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from trainer.errors import DataRejected
from trainer.models.base import FeatureKind, ModelDefinition

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Labelled rows: the day and the label (of a classifier 0 or 1) of each, and its columns.

    A numeric or boolean column is float64 with NaN for a missing value, a categorical one objects: strings and None.
    """

    days: NDArray[np.datetime64]
    labels: Floats
    columns: Mapping[str, NDArray[Any]]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, mask: NDArray[np.bool_]) -> Self:
        """Return the rows for which the mask is true."""
        columns = {name: values[mask] for name, values in self.columns.items()}
        return type(self)(self.days[mask], self.labels[mask], columns)

    def records(self) -> list[dict[str, object]]:
        """Return each row as the server gets it: plain values by column name, None for a missing one."""
        columns = [
            [None if value is None or value != value else value for value in values.tolist()]  # noqa: PLR0124 - NaN
            for values in self.columns.values()
        ]
        return [dict(zip(self.columns, row, strict=True)) for row in zip(*columns, strict=True)]


def newest_labelled_day(connection: Connection, model: ModelDefinition) -> date:
    """Return the day of the newest row whose outcome is known; DataRejected if there is none."""
    query = SQL("select max({}) from {} where {} is not null").format(
        Identifier(model.date_column), Identifier(model.table), Identifier(model.label_column)
    )
    row = connection.execute(query).fetchone()
    if row is None or row[0] is None:
        raise DataRejected("InsufficientRows", f"no row of {model.table} has a known outcome")
    newest: date = row[0]
    return newest


def read_labelled(
    connection: Connection, model: ModelDefinition, kinds: Mapping[str, FeatureKind], *, last: date, window: timedelta
) -> tuple[Dataset, NDArray[Any]]:
    """Return the labelled rows of the window that ends with the day `last`, oldest first, and whose each is."""
    selection = SQL("select {} from {} where {} is not null and {} order by {}").format(
        SQL(", ").join(map(Identifier, (model.id_column, model.date_column, model.label_column, *kinds))),
        Identifier(model.table),
        Identifier(model.label_column),
        in_window(model, last, window),
        SQL(", ").join(map(Identifier, (model.date_column, model.id_column))),
    )
    buffer = BytesIO()
    with connection.cursor().copy(SQL("copy ({}) to stdout (format csv, header)").format(selection)) as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    return _parsed(buffer, model, kinds)


def present_ratios_of_unlabelled(
    connection: Connection, model: ModelDefinition, names: Collection[str], *, since: date
) -> tuple[int, dict[str, float]]:
    """Return how many rows of a later day have no outcome yet, and the share of them with a value, by column."""
    counts = SQL(", ").join([SQL("count(*)"), *(SQL("count({})").format(Identifier(name)) for name in names)])
    query = SQL("select {} from {} where {} is null and {} > {}").format(
        counts,
        Identifier(model.table),
        Identifier(model.label_column),
        Identifier(model.date_column),
        Literal(since),
    )
    row = connection.execute(query).fetchone() or (0,)
    return row[0], {name: count / max(1, row[0]) for name, count in zip(names, row[1:], strict=False)}


def in_window(model: ModelDefinition, last: date, window: timedelta) -> Composed:
    """Return the SQL condition of a row's day being in the window that ends with the day `last`, inclusive."""
    return SQL("{day} > {first} and {day} <= {last}").format(
        day=Identifier(model.date_column), first=Literal(last - window), last=Literal(last)
    )


def _parsed(buffer: BytesIO, model: ModelDefinition, kinds: Mapping[str, FeatureKind]) -> tuple[Dataset, NDArray[Any]]:
    texts = [model.id_column, *(name for name, kind in kinds.items() if kind is FeatureKind.CATEGORICAL)]
    # Only the empty field is missing: a member may well be called "NA".
    frame = pd.read_csv(buffer, dtype=dict.fromkeys(texts, object), keep_default_na=False, na_values=[""])
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

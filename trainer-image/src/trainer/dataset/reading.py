"""Rows in plain arrays, and what is asked of the training table besides its rows."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.sql import SQL, Composed, Identifier, Literal

from trainer.errors import DataRejected
from trainer.models.base import ModelDefinition

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


def joined(parts: Sequence[Dataset]) -> Dataset:
    """Return all rows of the parts, of which there is at least one, oldest first."""
    days = np.concatenate([part.days for part in parts])
    order = np.argsort(days, kind="stable")
    columns = {name: np.concatenate([part.columns[name] for part in parts])[order] for name in parts[0].columns}
    return Dataset(days[order], np.concatenate([part.labels for part in parts])[order], columns)


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

"""Turns feature values into the network's inputs: the one encoding that training and serving share."""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.artifact.manifest import Feature
from trainer.models.base import FeatureKind

# Beyond this many standard deviations an input says no more than "far outside", and must not drown all others.
CLIP = 5.0


class InvalidFeature(ValueError):  # noqa: N818 - a verdict on the input, not a fault of the program
    """A value cannot be one of its feature's: `name` says which."""

    def __init__(self, name: str, expected: str) -> None:
        super().__init__(f"{name} must be {expected}")
        self.name = name


class Encoder:
    """Encodes rows for one set of features.

    Inputs come in this order: numeric and boolean features, their missing marks, then for each categorical feature
    its categories and its mark.
    """

    __slots__ = ("_fill", "_hot", "_marked", "_mean", "_rate", "_scalars", "width")

    def __init__(self, features: Sequence[Feature]) -> None:
        scalars = [feature for feature in features if feature.kind is not FeatureKind.CATEGORICAL]
        self._scalars = tuple(feature.name for feature in scalars)
        self._fill = np.array([feature.fill for feature in scalars])
        self._mean = np.array([feature.mean for feature in scalars])
        self._rate = np.array([1.0 / feature.scale for feature in scalars])
        self._marked = np.flatnonzero([feature.marks_missing for feature in scalars])
        self._hot: list[tuple[str, dict[str | None, int]]] = []
        self.width = len(scalars) + self._marked.size
        for feature in features:
            if feature.kind is FeatureKind.CATEGORICAL:
                self._hot.append((feature.name, _input_of_value(feature, self.width)))
                self.width += feature.width

    def encode(self, rows: Sequence[Mapping[str, object]]) -> NDArray[np.float32]:
        """Return float32 [rows, width]. Absent and None are missing; InvalidFeature for a value of a wrong type."""
        values = [[_number(row.get(name), name) for name in self._scalars] for row in rows]
        hot = [
            (index, column)
            for name, inputs in self._hot
            for index, row in enumerate(rows)
            if (column := inputs.get(_category(row.get(name), name))) is not None
        ]
        return self._assembled(np.array(values, dtype=np.float64).reshape(len(rows), len(self._scalars)), hot)

    def encode_columns(self, columns: Mapping[str, NDArray[Any]], rows: int) -> NDArray[np.float32]:
        """Return float32 [rows, width] for whole columns: floats with NaN, or strings and None."""
        values = np.empty((rows, len(self._scalars)))
        for index, name in enumerate(self._scalars):
            values[:, index] = columns[name]
        hot = [
            (index, column)
            for name, inputs in self._hot
            for index, value in enumerate(columns[name])
            if (column := inputs.get(value)) is not None
        ]
        return self._assembled(values, hot)

    def _assembled(self, values: NDArray[np.float64], hot: Iterable[tuple[int, int]]) -> NDArray[np.float32]:
        missing = np.isnan(values)
        scaled = (np.where(missing, self._fill, values) - self._mean) * self._rate
        inputs = np.zeros((len(values), self.width), dtype=np.float32)
        scalars = len(self._scalars)
        inputs[:, :scalars] = np.minimum(np.maximum(scaled, -CLIP), CLIP)
        if self._marked.size:
            inputs[:, scalars : scalars + self._marked.size] = missing[:, self._marked]
        for row, column in hot:
            inputs[row, column] = 1.0
        return inputs


def _input_of_value(feature: Feature, first: int) -> dict[str | None, int]:
    inputs: dict[str | None, int] = {category: first + index for index, category in enumerate(feature.categories)}
    if feature.marks_missing:
        inputs[None] = first + len(feature.categories)
    return inputs


def _number(value: object, name: str) -> float:
    if value is None:
        return np.nan
    if isinstance(value, int | float | Decimal):
        try:
            return float(value)
        except OverflowError:
            raise InvalidFeature(name, "a number that fits 64 bits") from None
    raise InvalidFeature(name, "a number, true, false or null")


def _category(value: object, name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value
    raise InvalidFeature(name, "a string or null")

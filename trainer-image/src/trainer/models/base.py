"""What the commands need to know of a model; a model is one value of `ModelDefinition` in a module of its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

import numpy as np
from numpy.typing import NDArray

from trainer.metrics import binary_metrics

Metrics = Callable[[NDArray[np.float64], NDArray[np.float64], float], dict[str, float]]


class FeatureKind(StrEnum):
    """How a column enters the network."""

    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTable:
    """Where the present feature values of each entity are: what `serve` looks up and `validate` counts.

    Only rows whose `role_column` is `role` belong to the model's population.
    """

    table: str
    id_column: str
    role_column: str
    role: str
    noun: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefinition:
    """A binary classifier over a table of dated snapshots: the table, its columns and the network's shape.

    Every other column of the table is a feature if its type allows it (`feature_kind`) and the request's allow and
    deny patterns do (`is_wanted`). `outcome_column` is the date on which the label became known. `metrics` are the
    gate's figures of probabilities, labels and the threshold.
    """

    name: str
    table: str
    id_column: str
    date_column: str
    label_column: str
    outcome_column: str
    live: LiveTable
    hidden_layers: tuple[int, ...]
    denied_features: tuple[str, ...] = ()
    metrics: Metrics = binary_metrics

    @property
    def own_columns(self) -> frozenset[str]:
        """The columns that say who, when and what happened, and are never features."""
        return frozenset({self.id_column, self.date_column, self.label_column, self.outcome_column})


_KIND_OF_TYPE = {
    "smallint": FeatureKind.NUMERIC,
    "integer": FeatureKind.NUMERIC,
    "bigint": FeatureKind.NUMERIC,
    "real": FeatureKind.NUMERIC,
    "double precision": FeatureKind.NUMERIC,
    "numeric": FeatureKind.NUMERIC,
    "boolean": FeatureKind.BOOLEAN,
    "text": FeatureKind.CATEGORICAL,
    "character varying": FeatureKind.CATEGORICAL,
    "character": FeatureKind.CATEGORICAL,
}


def feature_kind(column_type: str) -> FeatureKind | None:
    """Return how a column of this `information_schema` type enters the network; None for dates, documents, arrays."""
    return _KIND_OF_TYPE.get(column_type)


def is_wanted(column: str, allow: Sequence[str], deny: Sequence[str]) -> bool:
    """Return whether shell patterns let a column be a feature: some of `allow` match it and none of `deny`."""
    return any(fnmatchcase(column, pattern) for pattern in allow) and not any(
        fnmatchcase(column, pattern) for pattern in deny
    )

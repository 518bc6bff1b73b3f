"""What the commands need to know of a model; a model is one value of `ModelDefinition` in a module of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from trainer.tasks.base import Task
from trainer.windows import Windows


class FeatureKind(StrEnum):
    """How a column enters the network."""

    NUMERIC = "numeric"
    BOOLEAN = "boolean"
    CATEGORICAL = "categorical"


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveTable:
    """Where the present of each entity is, for `serve` to look up by the `key` of a request.

    Only rows whose `role_column` is `role` count, if there is such a column.
    """

    table: str
    id_column: str
    key: str
    role_column: str | None = None
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Population:
    """The rows that there must be enough of, which `validate` counts: of the `role`, if `role_column` says one."""

    table: str
    noun: str
    role_column: str | None = None
    role: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelDefinition:
    """One model: the table it learns from, what its label is, the network's shape, and how it is judged.

    Every other column of the table is a feature if its type allows it (`feature_kind`) and the request's allow and
    deny patterns do (`is_wanted`). `outcome_column` is the date on which the label became known. The `task` makes
    targets of labels, answers of outputs, and the gate's figures of answers. With `windows` a row of the table is one
    day or week of a series, of which only what is known ahead and the past of the label may tell; without, a row is a
    snapshot of what was known on its day.
    """

    name: str
    task: Task
    table: str
    id_column: str
    date_column: str
    label_column: str
    outcome_column: str
    live: LiveTable
    population: Population
    hidden_layers: tuple[int, ...]
    denied_features: tuple[str, ...] = ()
    windows: Windows | None = None

    @property
    def own_columns(self) -> frozenset[str]:
        """The columns that say who, when and what happened, and are never features."""
        return frozenset({self.id_column, self.date_column, self.label_column, self.outcome_column}) | self.derived

    @property
    def derived(self) -> frozenset[str]:
        """The features that are computed from the label's past, and are in no table."""
        return self.windows.names if self.windows is not None else frozenset()


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

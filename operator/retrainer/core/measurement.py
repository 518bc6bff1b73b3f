"""Measurements, and the absence of one. NoData is a type of its own from the adapter to the status: never a bare float, never a bool."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class NoDataReason(StrEnum):
    """Why there is no figure."""

    NO_SERIES = "NoSeries"
    """Nothing at all is exported about the model."""
    EMPTY = "Empty"
    """Something is, but not about this version."""
    NAN = "NaN"
    AMBIGUOUS = "Ambiguous"
    STALE = "Stale"
    TIMEOUT = "Timeout"
    UNREACHABLE = "Unreachable"
    WARNING = "Warning"
    REFUSED = "Refused"


@dataclass(frozen=True, slots=True)
class NoData:
    """There is no figure, and why. It neither triggers, nor passes, nor fails anything."""

    reason: NoDataReason
    message: str


@dataclass(frozen=True, slots=True)
class Series:
    """One series of an instant vector: its labels and its value (finite)."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """A non-empty instant vector, as of `at`: its series with a finite value, and the labels of those without one."""

    series: tuple[Series, ...]
    at: datetime
    not_finite: tuple[Mapping[str, str], ...] = ()


Answer = Vector | NoData


@dataclass(frozen=True, slots=True)
class Question:
    """An instant query to a named Prometheus."""

    source: str
    promql: str


@dataclass(frozen=True, slots=True)
class Counts:
    """A ratio of counters: `hits` of `total` (both may be fractional, as `increase()` extrapolates)."""

    hits: float
    total: float

    @property
    def ratio(self) -> float:
        """Hits per total, 0–1; `total` must be above 0."""
        return self.hits / self.total


@dataclass(frozen=True, slots=True)
class Value:
    """A figure taken as it is, in its preset's unit, from `samples` samples; `of` says of what, e.g. a feature, where that is not all."""

    value: float
    samples: float
    of: str = ""


Measurement = Counts | Value | NoData

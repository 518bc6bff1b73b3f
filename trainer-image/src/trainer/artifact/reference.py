"""The reference histograms of a version: what its training data and its predictions looked like, for PSI."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

from trainer.artifact.documents import canonical, read_canonical
from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.fields import items, mapping, number

MAX_BINS = 128


@dataclass(frozen=True, slots=True)
class Histogram:
    """Shares of rows by bin; `shares` sum to 1 over the rows that have a value.

    Numeric: `edges` are the n inner edges of n + 1 bins, closed on the left: a value's bin is
    `numpy.searchsorted(edges, value, side="right")`, in SQL `width_bucket(value, edges)`. Categorical (and boolean, as
    "false" and "true"): `categories` name the bins, a last bin holds all other values, `edges` is empty.
    `missing` is the share of rows without a value, of all rows.
    """

    shares: tuple[float, ...]
    missing: float
    edges: tuple[float, ...] = ()
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reference:
    """Histograms of the training rows, weighted by recency as in training, and of the shipped model's probabilities.

    `rows` is the effective number of rows, (Σ w)² ÷ Σ w² (Kish 1965), for tests of significance.
    """

    rows: float
    features: Mapping[str, Histogram]
    prediction: Histogram

    def to_document(self) -> dict[str, Any]:
        """Return plain JSON values: `reference.json`, and the column `reference` of `model_metadata`."""
        return asdict(self)

    def to_json(self) -> bytes:
        """Return the bytes of `reference.json`; `parse` gives the same reference back."""
        return canonical(self.to_document())


def parse(content: bytes) -> Reference:
    """Return the reference in these bytes; ArtifactRejected if it is not one."""
    document = read_canonical(content, "reference")
    features = mapping(document.get("features"), "features")
    return Reference(
        rows=number(document, "rows", 0.0),
        features={name: _histogram(histogram, name) for name, histogram in features.items()},
        prediction=_histogram(document.get("prediction"), "prediction"),
    )


def _histogram(value: object, name: str) -> Histogram:
    document = mapping(value, name)
    edges = _numbers(document, "edges")
    categories = tuple(str(category) for category in items(document, "categories", MAX_BINS))
    shares = _numbers(document, "shares")
    if (edges and categories) or len(shares) != len(edges or categories) + 1:
        raise ArtifactRejected("ReferenceInvalid", f"the histogram of {name} has {len(shares)} shares for its bins")
    if any(low >= high for low, high in pairwise(edges)) or any(share < 0 for share in shares):
        raise ArtifactRejected("ReferenceInvalid", f"the histogram of {name} has unordered edges or negative shares")
    return Histogram(shares, number(document, "missing", 0.0, 1.0), edges, categories)


def _numbers(document: Mapping[str, object], key: str) -> tuple[float, ...]:
    values: Sequence[object] = items(document, key, MAX_BINS)
    return tuple(number({key: value}, key) for value in values)

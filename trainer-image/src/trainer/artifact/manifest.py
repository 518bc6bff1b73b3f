"""The manifest of a version: what the files are, and all that is needed to run the weights besides the weights."""

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from trainer.artifact.documents import canonical, read_canonical
from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.fields import boolean, integer, items, mapping, number, text
from trainer.models.base import FeatureKind
from trainer.tasks import TASKS
from trainer.tasks.base import Calibration

SCHEMA_VERSION = 1
MANIFEST_NAME = "manifest.json"
EVALUATED_NAME = "evaluated.safetensors"
SHIPPED_NAME = "shipped.safetensors"
REFERENCE_NAME = "reference.json"
# The manifest names these files and no others, so no path in it can lead out of the directory.
FILE_NAMES = (EVALUATED_NAME, SHIPPED_NAME, REFERENCE_NAME)

ARCHITECTURE = "mlp-relu"
MAX_FEATURES = 512
MAX_CATEGORIES = 64
MAX_LAYERS = 8
MAX_UNITS = 4096
_SEAL = "sha256"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """What a file of the version must be: its sha256 in hexadecimal and its size in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One column and how it was encoded when the model was trained.

    Numeric and boolean: a missing value becomes `fill`, then (x − mean) ÷ scale. Categorical: one input a category;
    a missing or unknown one is all zeros. `marks_missing` adds an input that is 1 where the value was missing.
    """

    name: str
    kind: FeatureKind
    fill: float = 0.0
    mean: float = 0.0
    scale: float = 1.0
    categories: tuple[str, ...] = ()
    marks_missing: bool = False

    @property
    def width(self) -> int:
        """The number of inputs it takes."""
        return (len(self.categories) if self.kind is FeatureKind.CATEGORICAL else 1) + self.marks_missing


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that is known of a version; times are ISO 8601, `columns` are the training table's with their types.

    `data` (window and row counts), `metrics` (candidate and champion), `training` (hyperparameters as used) and
    `libraries` are records for people and for the repeated result; nothing here interprets them.
    """

    model_type: str
    task: str
    version: str
    created_at: str
    files: Mapping[str, FileEntry]
    table: str
    columns: Mapping[str, str]
    features: tuple[Feature, ...]
    hidden_layers: tuple[int, ...]
    calibration: Calibration
    threshold: float
    data: Mapping[str, Any]
    metrics: Mapping[str, Mapping[str, float]]
    champion_not_comparable: str
    warnings: tuple[str, ...]
    training: Mapping[str, Any]
    libraries: Mapping[str, str]

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        """The widths from the inputs to the task's outputs."""
        return (sum(feature.width for feature in self.features), *self.hidden_layers, TASKS[self.task].outputs)

    @property
    def feature_schema(self) -> dict[str, Any]:
        """What the monitor compares the training table with: the table, all its columns, and the features' kinds."""
        return {
            "table": self.table,
            "columns": dict(self.columns),
            "features": {feature.name: feature.kind.value for feature in self.features},
        }

    def to_json(self) -> bytes:
        """Return the bytes of `manifest.json`; `parse` gives the same manifest back."""
        return sealed({"schema_version": SCHEMA_VERSION, "architecture": ARCHITECTURE, **asdict(self)})


def sealed(document: Mapping[str, Any]) -> bytes:
    """Return the document as the bytes of a manifest: in the one form it has, with the digest of the rest in it."""
    rest = {key: value for key, value in document.items() if key != _SEAL}
    return canonical({**rest, _SEAL: hashlib.sha256(canonical(rest)).hexdigest()})


def parse(content: bytes) -> Manifest:
    """Return the manifest in these bytes; ArtifactRejected if it is not one that this image can run."""
    document = read_canonical(content, "manifest")
    if sealed(document) != content:
        raise ArtifactRejected("ManifestAltered", "the manifest does not have the digest that it says it has")
    if document.get("schema_version") != SCHEMA_VERSION or document.get("architecture") != ARCHITECTURE:
        raise ArtifactRejected("ManifestUnknown", "the manifest's schema version or architecture is not known here")
    return Manifest(
        model_type=_name(document, "model_type"),
        task=_task(document),
        version=_name(document, "version"),
        created_at=text(document, "created_at"),
        files=_files(mapping(document.get("files"), "files")),
        table=text(document, "table"),
        columns={str(k): str(v) for k, v in mapping(document.get("columns"), "columns").items()},
        features=_features(items(document, "features", MAX_FEATURES)),
        hidden_layers=_hidden_layers(items(document, "hidden_layers", MAX_LAYERS)),
        calibration=_calibration(mapping(document.get("calibration"), "calibration")),
        threshold=number(document, "threshold", 0.0, 1.0),
        data=_data(mapping(document.get("data"), "data")),
        metrics={k: _figures(mapping(v, k)) for k, v in mapping(document.get("metrics"), "metrics").items()},
        champion_not_comparable=text(document, "champion_not_comparable"),
        warnings=tuple(str(warning) for warning in items(document, "warnings", 1000)),
        training=mapping(document.get("training"), "training"),
        libraries={str(k): str(v) for k, v in mapping(document.get("libraries"), "libraries").items()},
    )


def _name(document: Mapping[str, Any], key: str) -> str:
    value = text(document, key)
    if not _NAME.fullmatch(value):
        raise ArtifactRejected("ManifestInvalid", f"{key} {value!r:.80} is not a plain name")
    return value


def _task(document: Mapping[str, Any]) -> str:
    task = text(document, "task")
    if task not in TASKS:
        raise ArtifactRejected("ManifestUnknown", f"the task {task!r:.80} is not known here")
    return task


def _data(document: Mapping[str, Any]) -> Mapping[str, Any]:
    for key in ("from", "to", "holdoutFrom"):
        text(document, key)
    for key in ("trainRows", "holdoutRows"):
        integer(document, key, 0)
    return document


def _figures(document: Mapping[str, Any]) -> dict[str, float]:
    return {name: number(document, name) for name in document}


def _files(document: Mapping[str, Any]) -> dict[str, FileEntry]:
    if set(document) != set(FILE_NAMES):
        raise ArtifactRejected("ManifestInvalid", f"the manifest must name the files {', '.join(FILE_NAMES)}")
    entries = {}
    for name in FILE_NAMES:
        entry = mapping(document[name], name)
        digest = text(entry, "sha256")
        if not _SHA256.fullmatch(digest):
            raise ArtifactRejected("ManifestInvalid", f"the sha256 of {name} is not one")
        entries[name] = FileEntry(digest, integer(entry, "size", 0))
    return entries


def _features(documents: Sequence[Any]) -> tuple[Feature, ...]:
    features = tuple(_feature(mapping(document, "feature")) for document in documents)
    if not features or len({feature.name for feature in features}) != len(features):
        raise ArtifactRejected("ManifestInvalid", "features must be there and have names of their own")
    return features


def _feature(document: Mapping[str, Any]) -> Feature:
    kind = text(document, "kind")
    if kind not in list(FeatureKind):
        raise ArtifactRejected("ManifestInvalid", f"{kind!r:.80} is not a kind of feature")
    categories = tuple(items(document, "categories", MAX_CATEGORIES))
    if not all(isinstance(category, str) for category in categories) or len(set(categories)) != len(categories):
        raise ArtifactRejected("ManifestInvalid", "categories must be different strings")
    return Feature(
        name=text(document, "name"),
        kind=FeatureKind(kind),
        fill=number(document, "fill"),
        mean=number(document, "mean"),
        scale=number(document, "scale", 1e-12),
        categories=categories,
        marks_missing=boolean(document, "marks_missing"),
    )


def _hidden_layers(sizes: Sequence[Any]) -> tuple[int, ...]:
    if not all(type(size) is int and 0 < size <= MAX_UNITS for size in sizes):
        raise ArtifactRejected("ManifestInvalid", f"a hidden layer has between 1 and {MAX_UNITS} units")
    return tuple(sizes)


def _calibration(document: Mapping[str, Any]) -> Calibration:
    return Calibration(
        slope=number(document, "slope"),
        intercept=number(document, "intercept"),
        location=number(document, "location"),
        scale=number(document, "scale", 1e-12),
    )

"""Builders of small artifacts, for tests that need one without training it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from trainer.artifact import Artifact, Calibration, Feature, Held, Histogram, Manifest, Reference, pack
from trainer.artifact.loading import weight_shapes
from trainer.models.base import FeatureKind
from trainer.store import write
from trainer.store.directory import DirectoryStore

FEATURES = (
    Feature(name="union_tenure_years", kind=FeatureKind.NUMERIC, fill=8.0, mean=9.0, scale=6.0, marks_missing=True),
    Feature(name="member_age", kind=FeatureKind.NUMERIC, fill=44.0, mean=44.0, scale=12.0),
    Feature(name="engagement_score", kind=FeatureKind.NUMERIC, fill=50.0, mean=50.0, scale=20.0),
    Feature(name="is_steward", kind=FeatureKind.BOOLEAN, fill=0.0, mean=0.1, scale=0.3),
    Feature(name="contract_type", kind=FeatureKind.CATEGORICAL, categories=("agency", "fixed_term", "permanent")),
)


def manifest(version: str = "20261123-030000-1", features: tuple[Feature, ...] = FEATURES) -> Manifest:
    """A manifest of churn risk whose files are still to be filled in by `write`."""
    columns = {"member_id": "text", "as_of": "date", "churned": "boolean", "outcome_at": "date"}
    types = {"numeric": "double precision", "boolean": "boolean", "categorical": "text"}
    return Manifest(
        model_type="churn_risk",
        task="binary",
        version=version,
        created_at="2026-11-23T03:00:00+00:00",
        files={},
        table="member_snapshots",
        columns=columns | {feature.name: types[feature.kind] for feature in features},
        features=features,
        hidden_layers=(8, 4),
        calibration=Calibration(slope=1.2, intercept=-0.1),
        threshold=0.5,
        data={"from": "2025-11-23", "to": "2026-11-22", "holdoutFrom": "2026-10-23", "trainRows": 9, "holdoutRows": 3},
        metrics={"candidate": {"accuracy": 0.86}},
        champion_not_comparable="",
        warnings=(),
        training={"seed": 7},
        libraries={"numpy": np.__version__},
    )


def reference(features: tuple[Feature, ...] = FEATURES) -> Reference:
    """Plausible histograms for the features."""
    histograms = {
        feature.name: Histogram((0.2, 0.3, 0.5, 0.0), 0.0, categories=feature.categories)
        if feature.kind is FeatureKind.CATEGORICAL
        else Histogram((0.9, 0.1, 0.0), 0.0, categories=("false", "true"))
        if feature.kind is FeatureKind.BOOLEAN
        else Histogram((0.25, 0.5, 0.25), 0.01, edges=(feature.mean - feature.scale, feature.mean + feature.scale))
        for feature in features
    }
    return Reference(500.0, histograms, Histogram((0.3, 0.4, 0.3), 0.0, edges=(0.3, 0.7)))


def write_artifact(parent: Path, version: str = "20261123-030000-1", seed: int = 1, **changes: Any) -> Artifact:
    """Write a sound version with random weights under `parent`, its manifest changed as said, and return it."""
    return write(DirectoryStore(parent), packed(version, seed, **changes))


def packed(version: str = "20261123-030000-1", seed: int = 1, **changes: Any) -> Held:
    """The files of a sound version with random weights, its manifest changed as said."""
    generator = np.random.default_rng(seed)
    described = replace(manifest(), version=version, **changes)
    shapes = weight_shapes(described.layer_sizes)
    evaluated, shipped = (
        {name: generator.normal(0, 0.5, shape).astype(np.float32) for name, shape in shapes.items()} for _ in range(2)
    )
    return pack(described, evaluated=evaluated, shipped=shipped, reference=reference())


def path_of(artifact: Artifact) -> Path:
    """The directory of a version that is kept in one."""
    return Path(artifact.files.location)

"""The artifact of a version: an immutable directory of JSON and weights, and nothing that could be executed."""

from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.loading import Artifact, Weights, load
from trainer.artifact.manifest import Calibration, Feature, Manifest
from trainer.artifact.reference import Histogram, Reference
from trainer.artifact.writing import write

__all__ = [
    "Artifact",
    "ArtifactRejected",
    "Calibration",
    "Feature",
    "Histogram",
    "Manifest",
    "Reference",
    "Weights",
    "load",
    "write",
]

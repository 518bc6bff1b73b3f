"""The artifact of a version: immutable files of JSON and weights, and nothing that could be executed."""

from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.files import Directory, Files, Held
from trainer.artifact.loading import Artifact, Weights, load
from trainer.artifact.manifest import Feature, Manifest
from trainer.artifact.packing import pack
from trainer.artifact.reference import Histogram, Reference
from trainer.tasks.base import Calibration

__all__ = [
    "Artifact",
    "ArtifactRejected",
    "Calibration",
    "Directory",
    "Feature",
    "Files",
    "Held",
    "Histogram",
    "Manifest",
    "Reference",
    "Weights",
    "load",
    "pack",
]

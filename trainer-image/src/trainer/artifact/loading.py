"""Loads a version's files, believing nothing that it has not proved."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors

from trainer.artifact import manifest as manifests
from trainer.artifact import reference as references
from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.files import Directory, Files
from trainer.artifact.manifest import EVALUATED_NAME, MANIFEST_NAME, REFERENCE_NAME, SHIPPED_NAME, Manifest
from trainer.artifact.reference import Reference

Weights = Mapping[str, NDArray[np.float32]]

MAX_MANIFEST_BYTES = 1 << 20
MAX_FILE_BYTES = 64 << 20
MAX_PARAMETERS = 10_000_000


@dataclass(frozen=True, slots=True)
class Artifact:
    """A sound version: `digest` is `sha256:` and the sha256 of the manifest, which names that of each file.

    Weights are float32: `layer<i>.kernel` [inputs, units] and `layer<i>.bias` [units]. The gate compares `evaluated`
    weights, which have not seen the held-out rows; `shipped` ones serve.
    """

    files: Files
    digest: str
    manifest: Manifest
    evaluated: Weights
    shipped: Weights
    reference: Reference


def load(source: Files | Path) -> Artifact:
    """Return the artifact in these files, or in a directory; ArtifactRejected with a reason if it is not sound.

    Only the four files of a version are read, each no longer than it may be. Nothing in them is executed: they are
    JSON and arrays of numbers, for an architecture that this image defines.
    """
    files = Directory(source) if isinstance(source, Path) else source
    content = files.read(MANIFEST_NAME, limit_of(MANIFEST_NAME))
    manifest = manifests.parse(content)
    contents = {name: _read_verified(files, name, manifest) for name in manifests.FILE_NAMES}
    return Artifact(
        files=files,
        digest=f"sha256:{hashlib.sha256(content).hexdigest()}",
        manifest=manifest,
        evaluated=_weights(contents[EVALUATED_NAME], EVALUATED_NAME, manifest),
        shipped=_weights(contents[SHIPPED_NAME], SHIPPED_NAME, manifest),
        reference=references.parse(contents[REFERENCE_NAME]),
    )


def limit_of(name: str) -> int:
    """Return how many bytes a file of that name may have."""
    return MAX_MANIFEST_BYTES if name == MANIFEST_NAME else MAX_FILE_BYTES


def weight_shapes(layer_sizes: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
    """Return the shape of each weight of a network with these widths, from the inputs to the outputs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for index, (inputs, units) in enumerate(pairwise(layer_sizes)):
        shapes[f"layer{index}.kernel"] = (inputs, units)
        shapes[f"layer{index}.bias"] = (units,)
    return shapes


def _read_verified(files: Files, name: str, manifest: Manifest) -> bytes:
    expected = manifest.files[name]
    content = files.read(name, limit_of(name))
    if len(content) != expected.size:
        raise ArtifactRejected("SizeMismatch", f"{name} has {len(content)} bytes, the manifest says {expected.size}")
    if hashlib.sha256(content).hexdigest() != expected.sha256:
        raise ArtifactRejected("DigestMismatch", f"{name} is not the file that the manifest names")
    return content


def _weights(content: bytes, name: str, manifest: Manifest) -> Weights:
    shapes = weight_shapes(manifest.layer_sizes)
    if sum(int(np.prod(shape)) for shape in shapes.values()) > MAX_PARAMETERS:
        raise ArtifactRejected("TooManyParameters", f"the network has more than {MAX_PARAMETERS} parameters")
    try:
        weights = load_tensors(content)
    except (SafetensorError, KeyError, ValueError) as error:
        # KeyError is the library's answer to a type of number that numpy does not have.
        raise ArtifactRejected("WeightsUnreadable", f"{name} is not a safetensors file of numpy's: {error}") from None
    if {key: value.shape for key, value in weights.items()} != shapes:
        raise ArtifactRejected("ShapeMismatch", f"{name} does not fit the network of the manifest")
    for key, value in weights.items():
        if value.dtype != np.float32 or not np.isfinite(value).all():
            raise ArtifactRejected("WeightsInvalid", f"{key} in {name} is not all finite float32")
    return weights

"""Packs a version: its manifest and weights as the bytes of its files."""

import hashlib
from dataclasses import replace

from safetensors.numpy import save as save_tensors

from trainer.artifact.files import Held
from trainer.artifact.loading import Weights
from trainer.artifact.manifest import EVALUATED_NAME, MANIFEST_NAME, REFERENCE_NAME, SHIPPED_NAME, FileEntry, Manifest
from trainer.artifact.reference import Reference


def pack(manifest: Manifest, *, evaluated: Weights, shipped: Weights, reference: Reference) -> Held:
    """Return the files of the version, held in memory; `manifest.files` is filled in here. The manifest is the last."""
    contents = {
        EVALUATED_NAME: save_tensors(dict(evaluated)),
        SHIPPED_NAME: save_tensors(dict(shipped)),
        REFERENCE_NAME: reference.to_json(),
    }
    entries = {name: FileEntry(hashlib.sha256(content).hexdigest(), len(content)) for name, content in contents.items()}
    return Held({**contents, MANIFEST_NAME: replace(manifest, files=entries).to_json()})

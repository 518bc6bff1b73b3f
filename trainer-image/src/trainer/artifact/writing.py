"""Writes a version so that a directory with a version's name is always a whole version."""

import hashlib
import os
import shutil
import tempfile
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from safetensors.numpy import save as save_tensors

from trainer.artifact.loading import Artifact, Weights, load
from trainer.artifact.manifest import EVALUATED_NAME, MANIFEST_NAME, REFERENCE_NAME, SHIPPED_NAME, FileEntry, Manifest
from trainer.artifact.reference import Reference

_TEMPORARY_PREFIX = ".incomplete-"


def write(path: Path, manifest: Manifest, *, evaluated: Weights, shipped: Weights, reference: Reference) -> Artifact:
    """Write the version to `path` and return it as it was read back; `manifest.files` is filled in here.

    The files go to a temporary directory beside `path`, are read back and verified, reach the disk, and only then
    does a rename give them their name. ArtifactRejected if what would be written is not sound; FileExistsError if
    the version is there.
    """
    files = {
        EVALUATED_NAME: save_tensors(dict(evaluated)),
        SHIPPED_NAME: save_tensors(dict(shipped)),
        REFERENCE_NAME: reference.to_json(),
    }
    entries = {name: FileEntry(hashlib.sha256(content).hexdigest(), len(content)) for name, content in files.items()}
    files[MANIFEST_NAME] = replace(manifest, files=entries).to_json()
    return _written(path, files)


def remove_incomplete(parent: Path, version: str) -> None:
    """Remove what killed attempts at this version left behind."""
    for leftover in parent.glob(f"{_TEMPORARY_PREFIX}{version}-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _written(path: Path, files: dict[str, bytes]) -> Artifact:
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_incomplete(path.parent, path.name)
    temporary = Path(tempfile.mkdtemp(prefix=f"{_TEMPORARY_PREFIX}{path.name}-", dir=path.parent))
    try:
        # mkdtemp makes it private; the server and the monitor run as other users of the volume.
        temporary.chmod(0o755)
        for name, content in files.items():
            _write_durably(temporary / name, content)
        _synchronise(temporary)
        artifact = load(temporary)
        _rename_to_absent(temporary, path)
        _synchronise(path.parent)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    return replace(artifact, path=path)


def _rename_to_absent(temporary: Path, path: Path) -> None:
    # rename(2) would replace an empty directory of that name; there are no two writers, so looking first is enough.
    if path.exists():
        raise FileExistsError(path)
    temporary.rename(path)


def _write_durably(path: Path, content: bytes) -> None:
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _synchronise(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        # Some network file systems cannot fsync a directory; the files themselves are safe by then.
        with suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)

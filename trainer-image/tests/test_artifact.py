"""A version is loaded only if it is whole and sound, and is written whole or not at all."""

import hashlib
from pathlib import Path

import numpy as np
import pytest

from tests.artifacts import manifest, path_of, reference, write_artifact
from trainer.artifact import ArtifactRejected, load, pack
from trainer.artifact.loading import weight_shapes
from trainer.store import write
from trainer.store.directory import DirectoryStore


def test_a_version_reads_back_as_it_was_written(tmp_path: Path) -> None:
    written = write_artifact(tmp_path)
    read = load(path_of(written))
    assert read.manifest == written.manifest
    assert read.reference == written.reference
    assert read.digest == f"sha256:{hashlib.sha256((path_of(read) / 'manifest.json').read_bytes()).hexdigest()}"
    assert all((read.shipped[name] == written.shipped[name]).all() for name in written.shipped)


def test_an_unsound_version_is_never_given_its_name(tmp_path: Path) -> None:
    shapes = weight_shapes(manifest().layer_sizes)
    weights = {name: np.full(shape, np.inf, dtype=np.float32) for name, shape in shapes.items()}
    with pytest.raises(ArtifactRejected):
        write(DirectoryStore(tmp_path), pack(manifest("v1"), evaluated=weights, shipped=weights, reference=reference()))
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_is_there_is_never_overwritten(tmp_path: Path) -> None:
    first = write_artifact(tmp_path, "v1", seed=1)
    with pytest.raises(FileExistsError):
        write_artifact(tmp_path, "v1", seed=2)
    assert load(tmp_path / "v1").digest == first.digest


def test_what_a_killed_attempt_left_behind_goes_with_the_next(tmp_path: Path) -> None:
    (tmp_path / ".incomplete-v1-killed").mkdir()
    write_artifact(tmp_path, "v1")
    assert [path.name for path in tmp_path.iterdir()] == ["v1"]


def test_a_version_can_be_read_by_other_users(tmp_path: Path) -> None:
    path = path_of(write_artifact(tmp_path))
    assert path.stat().st_mode & 0o777 == 0o755

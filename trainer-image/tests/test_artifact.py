"""A version is loaded only if it is whole and sound, and is written whole or not at all."""

import hashlib
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from tests.artifacts import manifest, path_of, reference, write_artifact
from trainer.artifact import ArtifactRejected, load, pack
from trainer.artifact.loading import MAX_FILE_BYTES, weight_shapes
from trainer.store import write
from trainer.store.directory import DirectoryStore

Damage = Callable[[Path], None]


def edit_manifest(change: Callable[[dict[str, Any]], None]) -> Damage:
    def damage(path: Path) -> None:
        document = json.loads((path / "manifest.json").read_bytes())
        change(document)
        (path / "manifest.json").write_text(json.dumps(document))

    return damage


def replace_file(name: str, content: Callable[[bytes], bytes]) -> Damage:
    """Replace a file and let the manifest name the new one: a forger would."""

    def damage(path: Path) -> None:
        forged = content((path / name).read_bytes())
        (path / name).write_bytes(forged)
        entry = {"sha256": hashlib.sha256(forged).hexdigest(), "size": len(forged)}
        edit_manifest(lambda document: document["files"].update({name: entry}))(path)

    return damage


def edit_weights(change: Callable[[dict[str, Any]], None]) -> Damage:
    def damage(path: Path) -> None:
        weights = load_file(path / "shipped.safetensors")
        change(weights)
        save_file(weights, path / "shipped.safetensors")
        replace_file("shipped.safetensors", lambda content: content)(path)

    return damage


def flip_a_bit(path: Path) -> None:
    content = bytearray((path / "shipped.safetensors").read_bytes())
    content[-1] ^= 1
    (path / "shipped.safetensors").write_bytes(content)


def garble_manifest(path: Path) -> None:
    (path / "manifest.json").write_text("{")


def truncate(path: Path) -> None:
    os.truncate(path / "shipped.safetensors", 100)


def link_outside(path: Path) -> None:
    outside = path.parent / "elsewhere"
    shutil.move(path / "shipped.safetensors", outside)
    (path / "shipped.safetensors").symlink_to(outside)


def swap_manifest(path: Path) -> None:
    other = write_artifact(path.parent, "another", seed=2)
    shutil.copy(path_of(other) / "manifest.json", path / "manifest.json")


def name_a_path_outside(document: dict[str, Any]) -> None:
    document["files"]["../../etc/passwd"] = document["files"].pop("shipped.safetensors")


def make_a_pipe(path: Path) -> None:
    (path / "reference.json").unlink()
    os.mkfifo(path / "reference.json")


def grow_beyond_the_limit(path: Path) -> None:
    os.truncate(path / "shipped.safetensors", MAX_FILE_BYTES + 1)


def boast_of_a_huge_tensor(content: bytes) -> bytes:
    header = json.dumps(
        {"layer0.kernel": {"dtype": "F32", "shape": [1 << 40, 1 << 20], "data_offsets": [0, 4]}}
    ).encode()
    return len(header).to_bytes(8, "little") + header + content[-4:]


HOSTILE: dict[str, tuple[Damage, str]] = {
    "manifest gone": (lambda path: (path / "manifest.json").unlink(), "FileMissing"),
    "weights gone": (lambda path: (path / "evaluated.safetensors").unlink(), "FileMissing"),
    "manifest not JSON": (garble_manifest, "ManifestUnreadable"),
    "truncated": (truncate, "SizeMismatch"),
    "a bit flipped": (flip_a_bit, "DigestMismatch"),
    "manifest of another version": (swap_manifest, "DigestMismatch"),
    "a link out of the directory": (link_outside, "FileUnreadable"),
    "a pipe that never ends": (make_a_pipe, "FileUnreadable"),
    "a file beyond the limit": (grow_beyond_the_limit, "FileTooLarge"),
    "a path out of the directory": (edit_manifest(name_a_path_outside), "ManifestInvalid"),
    "a version with a path": (edit_manifest(lambda d: d.update(version="../x")), "ManifestInvalid"),
    "a newer schema": (edit_manifest(lambda d: d.update(schema_version=2)), "ManifestUnknown"),
    "a layer of code": (edit_manifest(lambda d: d.update(architecture="Lambda")), "ManifestUnknown"),
    "huge layers": (edit_manifest(lambda d: d.update(hidden_layers=[10**9])), "ManifestInvalid"),
    "too many parameters": (edit_manifest(lambda d: d.update(hidden_layers=[4096] * 4)), "TooManyParameters"),
    "another shape": (edit_manifest(lambda d: d.update(hidden_layers=[8, 5])), "ShapeMismatch"),
    "a scale of zero": (edit_manifest(lambda d: d["features"][0].update(scale=0)), "ManifestInvalid"),
    "an unknown kind": (edit_manifest(lambda d: d["features"][0].update(kind="date")), "ManifestInvalid"),
    "one name twice": (edit_manifest(lambda d: d["features"].append(d["features"][0])), "ManifestInvalid"),
    "pickle for weights": (
        replace_file("shipped.safetensors", lambda _: pickle.dumps({"layer0.kernel": 1})),
        "WeightsUnreadable",
    ),
    "a tensor beyond the file": (replace_file("shipped.safetensors", boast_of_a_huge_tensor), "WeightsUnreadable"),
    "weights not finite": (edit_weights(lambda w: w["layer0.bias"].fill(np.nan)), "WeightsInvalid"),
    "weights of 64 bits": (
        edit_weights(lambda w: w.update({"layer0.bias": w["layer0.bias"].astype(np.float64)})),
        "WeightsInvalid",
    ),
    "a further tensor": (edit_weights(lambda w: w.update(more=np.zeros(1, np.float32))), "ShapeMismatch"),
    "unordered histogram": (
        replace_file("reference.json", lambda content: content.replace(b'"edges":[0.3,0.7]', b'"edges":[0.7,0.3]')),
        "ReferenceInvalid",
    ),
}


@pytest.mark.parametrize(("damage", "reason"), HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_or_broken_version_is_rejected(tmp_path: Path, damage: Damage, reason: str) -> None:
    path = path_of(write_artifact(tmp_path))
    damage(path)
    with pytest.raises(ArtifactRejected) as rejection:
        load(path)
    assert rejection.value.reason == reason


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

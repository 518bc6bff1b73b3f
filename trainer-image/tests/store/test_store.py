"""What every store promises, on both kinds of it."""

import pytest

from tests.artifacts import packed
from tests.stores import Kept
from trainer.artifact import ArtifactRejected, load
from trainer.artifact.manifest import MANIFEST_NAME
from trainer.store import write

# Longer than one part of an upload.
LARGE = bytes(range(256)) * (20 << 12)


def test_a_version_reads_back_as_it_was_written(kept: Kept) -> None:
    files = packed("v1")
    written = write(kept.store, files)
    assert kept.store.holds("v1")
    assert written.digest == load(files).digest
    assert written.files.location == f"{kept.store.location}/v1"
    assert {path.name: path.read_bytes() for path in (kept.files / "v1").iterdir()} == files.contents


def test_a_version_that_is_there_is_never_overwritten(kept: Kept) -> None:
    first = write(kept.store, packed("v1", seed=1))
    with pytest.raises(FileExistsError):
        write(kept.store, packed("v1", seed=2))
    assert load(kept.store.version("v1")).digest == first.digest


def test_a_version_that_is_not_there_says_so(kept: Kept) -> None:
    assert not kept.store.holds("v1")
    with pytest.raises(ArtifactRejected, match="FileMissing"):
        load(kept.store.version("v1"))


def test_a_file_is_no_longer_than_it_may_be(kept: Kept) -> None:
    kept.store.create("v1", {"large": b"12345", MANIFEST_NAME: b"{}"})
    assert kept.store.version("v1").read("large", 5) == b"12345"
    with pytest.raises(ArtifactRejected, match="FileTooLarge"):
        kept.store.version("v1").read("large", 4)


def test_an_empty_file_and_one_of_many_parts_come_back_whole(kept: Kept) -> None:
    kept.store.create("v1", {"empty": b"", "large": LARGE, MANIFEST_NAME: b"{}"})
    assert kept.store.version("v1").read("empty", 1) == b""
    assert kept.store.version("v1").read("large", len(LARGE)) == LARGE


def test_a_removed_version_leaves_nothing(kept: Kept) -> None:
    for version in ("v1", "v10"):
        write(kept.store, packed(version))
    kept.store.remove("v1")
    kept.store.remove("never")
    assert not kept.store.holds("v1")
    assert kept.store.contents().versions == {"v10"}
    assert [path.name for path in kept.files.iterdir()] == ["v10"]
    load(kept.store.version("v10"))


def test_a_version_without_its_manifest_is_a_leftover_and_can_be_written_again(kept: Kept) -> None:
    write(kept.store, packed("v1"))
    write(kept.store, packed("v2"))
    if kept.store.location.startswith("s3://"):
        kept.store.remove(f"v2/{MANIFEST_NAME}")
    else:
        (kept.files / "v2").rename(kept.files / ".incomplete-v2-killed")
    contents = kept.store.contents()
    assert contents.versions == {"v1"}
    assert list(contents.leftovers.values()) == ["v2"]
    assert not kept.store.holds("v2")
    write(kept.store, packed("v2", seed=3))
    assert kept.store.contents().versions == {"v1", "v2"}
    assert kept.store.contents().leftovers == {}


def test_a_file_beside_the_versions_is_replaced_read_and_removed(kept: Kept) -> None:
    key = ".checkpoints/v1/state.safetensors"
    assert kept.store.read(key, 100) is None
    kept.store.replace(key, b"first")
    kept.store.replace(key, b"second")
    assert kept.store.read(key, 100) == b"second"
    assert kept.store.read(key, 3) is None
    assert kept.store.contents().leftovers == {".checkpoints/v1": "v1"}
    kept.store.remove(".checkpoints/v1")
    assert kept.store.read(key, 100) is None
    assert kept.store.contents().leftovers == {}


def test_what_is_kept_beside_the_versions_is_neither_a_version_nor_a_leftover(kept: Kept) -> None:
    write(kept.store, packed("v1"))
    kept.store.replace("reports/2026-11-23.html", b"<!doctype html>")
    contents = kept.store.contents()
    assert (contents.versions, contents.leftovers) == (frozenset({"v1"}), {})


def test_a_store_that_is_not_there_yet_is_empty(kept: Kept) -> None:
    contents = kept.store.contents()
    assert (contents.versions, contents.leftovers) == (frozenset(), {})

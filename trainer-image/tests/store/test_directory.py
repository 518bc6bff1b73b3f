"""What a volume that loses its power keeps: all is on the disk before it has its name, and the name is after that."""

import os
from pathlib import Path

import pytest

from trainer.store.directory import DirectoryStore

RENAMED = "renamed"


@pytest.fixture
def happened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Give what is synchronised, by path, and when something is renamed, in order."""
    happened: list[str] = []
    fsync, rename = os.fsync, os.rename

    def synchronised(descriptor: int) -> None:
        happened.append(str(Path(f"/proc/self/fd/{descriptor}").readlink()))
        fsync(descriptor)

    def renamed(old: Path, new: Path) -> None:
        happened.append(RENAMED)
        rename(old, new)

    monkeypatch.setattr(os, "fsync", synchronised)
    monkeypatch.setattr(os, "rename", renamed)
    return happened


def test_a_versions_files_and_their_directory_are_on_the_disk_before_its_name_and_the_name_after_it(
    tmp_path: Path, happened: list[str]
) -> None:
    DirectoryStore(tmp_path).create("v1", {"weights.npz": b"1", "manifest.json": b"{}"})
    named = happened.index(RENAMED)
    *files, directory = (Path(path) for path in happened[:named])
    assert {path.name for path in files} == {"weights.npz", "manifest.json"}
    assert {path.parent for path in files} == {directory}
    assert directory.parent == tmp_path
    assert happened[named + 1 :] == [str(tmp_path)]

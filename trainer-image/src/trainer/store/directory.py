"""A store in a directory: a mounted volume in a cluster, any directory on a person's machine."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.files import Directory, Files
from trainer.artifact.manifest import MANIFEST_NAME
from trainer.store.interface import CHECKPOINTS, Contents

# Both are followed by the version's name, a dash, and what `tempfile` adds.
_INCOMPLETE = ".incomplete-"
_REMOVED = ".removed-"


@dataclass(frozen=True, slots=True)
class DirectoryStore:
    """Versions are directories in `path`: written under a temporary name, synchronised, and renamed when whole."""

    path: Path

    @property
    def location(self) -> str:
        return str(self.path)

    def version(self, name: str) -> Files:
        return Directory(self.path / name)

    def holds(self, name: str) -> bool:
        return os.path.lexists(self.path / name)

    def create(self, name: str, files: Mapping[str, bytes]) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self._remove_incomplete(name)
        temporary = Path(tempfile.mkdtemp(prefix=f"{_INCOMPLETE}{name}-", dir=self.path))
        try:
            # mkdtemp makes it private; the server and the monitor run as other users of the volume.
            temporary.chmod(0o755)
            for file, content in files.items():
                _write_durably(temporary / file, content)
            _synchronise(temporary)
            _rename_to_absent(temporary, self.path / name)
            _synchronise(self.path)
        except BaseException:
            shutil.rmtree(temporary, ignore_errors=True)
            raise

    def read(self, key: str, limit: int) -> bytes | None:
        try:
            path = self.path / key
            return Directory(path.parent).read(path.name, limit)
        except ArtifactRejected:
            return None

    def replace(self, key: str, content: bytes) -> None:
        path = self.path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f"{_INCOMPLETE}{path.name}")
        temporary.unlink(missing_ok=True)
        _write_durably(temporary, content)
        temporary.replace(path)
        _synchronise(path.parent)

    def remove(self, key: str) -> None:
        path = self.path / key
        if not os.path.lexists(path):
            return
        if path.is_symlink() or not path.is_dir():
            path.unlink()
            return
        # A reader sees the whole version or none: it is renamed before its files go.
        removed = Path(tempfile.mkdtemp(prefix=f"{_REMOVED}{path.name}-", dir=self.path))
        path.rename(removed / path.name)
        shutil.rmtree(removed)

    def contents(self) -> Contents:
        versions, leftovers = set(), {}
        for name in _names_in(self.path):
            if name.startswith((_INCOMPLETE, _REMOVED)):
                leftovers[name] = name.removeprefix(_INCOMPLETE).removeprefix(_REMOVED).rpartition("-")[0]
            elif (self.path / name / MANIFEST_NAME).is_file():
                versions.add(name)
        checkpoints = _names_in(self.path / CHECKPOINTS)
        return Contents(frozenset(versions), leftovers | {f"{CHECKPOINTS}/{name}": name for name in checkpoints})

    def _remove_incomplete(self, version: str) -> None:
        for leftover in self.path.glob(f"{_INCOMPLETE}{version}-*"):
            shutil.rmtree(leftover, ignore_errors=True)


def _rename_to_absent(temporary: Path, path: Path) -> None:
    # rename(2) would replace an empty directory of that name; there are no two writers, so looking first is enough.
    if os.path.lexists(path):
        raise FileExistsError(path)
    temporary.rename(path)


def _names_in(path: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in path.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


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

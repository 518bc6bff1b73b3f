"""Directories that containerd and the kubelet make wherever they are told to keep their files: gone again at `down`."""

import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

_MADE = (
    "/run/containerd",
    "/var/lib/cni",
    "/var/lib/kubelet",
    "/var/log/containers",
    "/usr/libexec/kubernetes",
)


def absent() -> list[str]:
    """Return those that are not there now, and that we may therefore remove."""
    return [path for path in _MADE if not Path(path).exists()]


def remove_made(paths: Sequence[str]) -> None:
    """Remove those again, with sockets nobody serves and what CNI noted of loopback; anything else stays, with its directory."""
    for root in map(Path, paths):
        for path in sorted(root.rglob("*"), reverse=True):
            if stat.S_ISSOCK(path.lstat().st_mode) or path.name.startswith("cni-loopback-"):
                path.unlink()
            elif path.is_dir():
                _remove_if_empty(path)
        _remove_if_empty(root)


def _remove_if_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()

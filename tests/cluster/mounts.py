"""Mounts below a directory: what lies under one must not be deleted."""

import time
from contextlib import suppress
from pathlib import Path

from tests.cluster.commands import run
from tests.cluster.interface import ClusterError


def unmount_below(folder: Path) -> None:
    """Unmount everything below `folder`; raise if something stays, for what lies under a mount must not be deleted."""
    for _ in range(3):
        for point in mounts_below(folder):
            with suppress(ClusterError):  # it may have gone with the one above it
                run(["umount", "--lazy", point])
        if not mounts_below(folder):
            return
        time.sleep(0.5)
    raise ClusterError(f"still mounted: {', '.join(mounts_below(folder))}")


def mounts_below(folder: Path) -> list[str]:
    """Return the mount points below `folder`, the deepest first."""
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8").splitlines()
    points = [line.split()[4].encode().decode("unicode_escape") for line in lines]
    return sorted((point for point in points if point.startswith(f"{folder}/")), key=len, reverse=True)

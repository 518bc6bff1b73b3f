"""Where the tool keeps what it makes: one directory outside the tree."""

import fcntl
import os
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.cluster.interface import ClusterError
from tests.cluster.progress import say

_LOCK_PATIENCE_SECONDS = 1800.0


class BusyError(ClusterError):
    """Another invocation holds the lock."""


def cache_root(env: Mapping[str, str] = os.environ) -> Path:
    """Return $CLUSTER_CACHE, or real-cluster in the user's cache directory; always absolute."""
    if chosen := env.get("CLUSTER_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = env.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "real-cluster"


def cluster_home(name: str) -> Path:
    """Return the directory of everything that belongs to the one cluster, and only to it."""
    if not re.fullmatch(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?", name):
        raise ClusterError(f"{name!r} is no name for a cluster: up to 30 of a-z, 0-9 and -, as for any Kubernetes object")
    return cache_root() / "clusters" / name


@contextmanager
def locked(what: str, patience: float = _LOCK_PATIENCE_SECONDS) -> Iterator[None]:
    """Let one invocation at a time do `what`; a second waits. The lock dies with its holder, even one that was killed."""
    path = cache_root() / "locks" / what
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as lock:
        deadline = time.monotonic() + patience
        told = False
        while not _try_lock(lock.fileno()):
            lock.seek(0)
            holder = lock.read().strip() or "?"
            if not told and patience:
                say(f"  … waiting for process {holder}, which is busy with {what}")
                told = True
            if time.monotonic() > deadline:
                raise BusyError(f"process {holder} still holds {path}; end it or wait")
            time.sleep(0.5)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True

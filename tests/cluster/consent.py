"""Saying what will be installed or changed, and asking once."""

import hashlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.cache import cache_root
from tests.cluster.interface import Change, ClusterError
from tests.cluster.progress import say


def agree(changes: Sequence[Change]) -> None:
    """List the changes and return once they are agreed to; raise `ClusterError` where they are not.

    YES=1 agrees beforehand, and what was agreed to once is not asked again. Where nobody can be asked, only changes
    outside the cache need that.
    """
    if not changes:
        return
    say("This will, in order:")
    for change in changes:
        say(f"  * {change.what}")
    say(f"Everything else stays below {cache_root()}.")
    if os.environ.get("YES") == "1":
        return
    open_questions = [change for change in changes if not _remembered(change)]
    if not sys.stdin.isatty():
        if any(change.system for change in open_questions):
            raise ClusterError("nobody can be asked here: set YES=1 to agree")
        return
    if open_questions and input("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise ClusterError("nothing was changed")
    for change in open_questions:
        _mark(change).parent.mkdir(parents=True, exist_ok=True)
        _mark(change).touch()


def _remembered(change: Change) -> bool:
    return _mark(change).is_file()


def _mark(change: Change) -> Path:
    return cache_root() / "agreed" / hashlib.sha256(change.what.encode()).hexdigest()[:16]

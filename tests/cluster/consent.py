"""Saying what will be installed or changed, and asking once."""

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.cache import cache_root
from tests.cluster.interface import Change, ClusterError
from tests.cluster.progress import say


def agree(changes: Sequence[Change]) -> None:
    """List the changes and return once they are agreed to; raise `ClusterError` where they are not."""
    if not changes:
        return
    say("This will")
    for change in changes:
        say(f"  * {change.what}")
    say(f"Everything else stays below {cache_root()}.")
    if os.environ.get("YES") != "1":
        settle(changes, cache_root() / "agreed", input if sys.stdin.isatty() else None)


def settle(changes: Sequence[Change], agreed: Path, ask: Callable[[str], str] | None) -> None:
    """Ask about what was not agreed to before, and note it below `agreed`.

    Where nobody can be asked (`ask` is None), only changes outside the cache need a yes.
    """
    marks = {agreed / hashlib.sha256(change.what.encode()).hexdigest()[:16]: change for change in changes}
    questions = {mark: change for mark, change in marks.items() if not mark.is_file()}
    if ask is None:
        if any(change.system for change in questions.values()):
            raise ClusterError("nobody can be asked here: set YES=1 to agree")
        return
    if questions and ask("Go on? [y/N] ").strip().lower() not in {"y", "yes"}:
        raise ClusterError("nothing was changed")
    for mark in questions:
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

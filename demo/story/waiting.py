"""Waiting for something to happen, with a deadline, and with what was last seen for when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

PERIOD = 0.25
PROGRESS_EVERY = 10.0

T = TypeVar("T")
Look = Callable[[], tuple[T | None, str]]
"""Returns what was waited for, or None, and what was seen instead, for people."""


class StoryError(Exception):
    """The story does not go on; the message says why and what was last seen."""


def wait_until(what: str, look: Look[T], within: float, progress: Callable[[str], None]) -> T:
    """Return what `look` finds; StoryError when it finds nothing within so many seconds."""
    began = time.monotonic()
    told = began
    while True:
        found, seen = look()
        if found is not None:
            return found
        now = time.monotonic()
        if now - began > within:
            raise StoryError(f"{what}: not within {within:.0f} s; last seen: {seen}")
        if now - told > PROGRESS_EVERY:
            told = now
            progress(f"{what}, for {now - began:.0f} s: {seen}")
        time.sleep(PERIOD)


def must(holds: bool, otherwise: str) -> None:
    """Raise StoryError unless a check of the story holds."""
    if not holds:
        raise StoryError(otherwise)

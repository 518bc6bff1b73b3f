"""What people read: plain lines in a log, a bar on a terminal; and JSON for machines, alone on standard output."""

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sized
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar

import orjson
from rich.console import Console
from rich.logging import RichHandler
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

_LOG = logging.getLogger("trainer")
_PLAIN_FORMAT = "%(asctime)s %(levelname)s %(message)s"
_LINES_PER_TASK = 10
_ROWS_QUIET_SECONDS = 10.0

Part = TypeVar("Part", bound=Sized)


def start_logging(*, debug: bool) -> None:
    """Send log lines to standard error: coloured on a terminal, plain in a pod; DEBUG ones only if asked."""
    if sys.stderr.isatty():
        handler: logging.Handler = RichHandler(console=Console(stderr=True), show_path=debug)
    else:
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter(_PLAIN_FORMAT, "%Y-%m-%dT%H:%M:%S%z"))
    _LOG.handlers = [handler]
    _LOG.propagate = False
    _LOG.setLevel(logging.DEBUG if debug else logging.INFO)


def say(sentence: str, document: Mapping[str, Any], as_json: bool) -> None:
    """Print a command's result: the sentence, or the document as one line of JSON."""
    print(orjson.dumps(document).decode() if as_json else sentence, flush=True)  # noqa: T201 - this is the output


class Bar(Protocol):
    """Takes the progress of one task."""

    def advance(self, note: str, steps: int = 1) -> None:
        """One more step is done, or some; `note` says how it went."""


def counted(title: str, total: int, parts: Iterable[Part]) -> Iterator[Part]:
    """Yield the parts of `total` rows, and show how many have been passed on; in a log only where that takes long."""
    with progress(title, total, quiet_seconds=_ROWS_QUIET_SECONDS) as bar:
        for part in parts:
            yield part
            bar.advance("rows", len(part))


@contextmanager
def progress(title: str, total: int, quiet_seconds: float = 0.0) -> Iterator[Bar]:
    """Yield a bar of `total` steps: drawn on a terminal, about ten lines in a log.

    Lines in a log are at least `quiet_seconds` apart, and from the beginning.
    """
    if not sys.stderr.isatty():
        yield _Lines(title, total, quiet_seconds)
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True), transient=True) as bars:
        yield _Drawn(bars, title, total)


class _Lines:
    def __init__(self, title: str, total: int, quiet_seconds: float) -> None:
        self._title, self._total, self._done = title, total, 0
        self._quiet_seconds, self._told_at = quiet_seconds, time.monotonic()

    def advance(self, note: str, steps: int = 1) -> None:
        before, each = self._done, max(1, self._total // _LINES_PER_TASK)
        self._done += steps
        if self._done // each > before // each and time.monotonic() - self._told_at >= self._quiet_seconds:
            _LOG.info("%s %d/%d %s", self._title, self._done, self._total, note)
            self._told_at = time.monotonic()


class _Drawn:
    def __init__(self, bars: Progress, title: str, total: int) -> None:
        self._bars, self._task = bars, bars.add_task(title, total=total, note="")

    def advance(self, note: str, steps: int = 1) -> None:
        self._bars.update(self._task, advance=steps, note=note)

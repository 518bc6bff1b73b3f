"""What the tool tells while it works: one line when a step begins, one when it ends, one now and then between."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_HEARTBEAT_SECONDS = 20.0


def say(line: str) -> None:
    """Print one line to stderr, so that stdout stays for what was asked (`env`, `kubectl`)."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


@contextmanager
def step(title: str, last_seen: Callable[[], str] = lambda: "") -> Iterator[None]:
    """Announce a step, say every so often that it still goes on (and what `last_seen` returns), say how long it took."""
    began = time.monotonic()
    over = threading.Event()

    def heartbeat() -> None:
        while not over.wait(_HEARTBEAT_SECONDS):
            say(f"  … {title}: {time.monotonic() - began:.0f} s {last_seen()}".rstrip())

    say(f"  - {title}")
    beating = threading.Thread(target=heartbeat, daemon=True)
    beating.start()
    try:
        yield
    except BaseException:
        say(f"  ! {title}: did not finish ({time.monotonic() - began:.1f} s)")
        raise
    else:
        say(f"  + {title} ({time.monotonic() - began:.1f} s)")
    finally:
        over.set()

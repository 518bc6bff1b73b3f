"""A keyed work queue: one round at a time for each key, and the latest wins.

What is added says only *that* a key needs a look, never why, so any number of additions before a round are one round. A key added while
its round runs gets exactly one more afterwards. Delays are data in one heap behind one timer of the event loop.
"""

import asyncio
import heapq
import itertools
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from typing_extensions import override

Key = TypeVar("Key", bound=Hashable)

_logger = logging.getLogger(__name__)


class RoundAbandoned(Exception):
    """The round that was waited for was cancelled, or will not come as the queue has stopped."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """The pause after the n-th failed round in a row: between `first_s` and twice that at first, doubled each time, up to `longest_s`."""

    first_s: float = 0.05
    longest_s: float = 30.0

    def pause(self, failures: int, chance: float) -> float:
        """Return seconds; `failures` is at least 1, `chance` (0–1) spreads keys that failed together."""
        ceiling: float = self.first_s * 2 ** min(failures, 32)
        return min(self.longest_s, ceiling) * (1 + chance) / 2


class Observer(Protocol):
    """Told what the queue does, for metrics."""

    def waiting(self, keys: int) -> None:
        """The number of keys that are due and have no round yet."""

    def began(self, waited_s: float) -> None:
        """A round began for a key that had been due for so long."""

    def ended(self, took_s: float, error: Exception | None) -> None:
        """A round ended, well or with an error."""


class Unobserved(Observer):
    """Nobody looks."""

    @override
    def waiting(self, keys: int) -> None: ...

    @override
    def began(self, waited_s: float) -> None: ...

    @override
    def ended(self, took_s: float, error: Exception | None) -> None: ...


class WorkQueue(Generic[Key]):
    """Runs `handle(key)` for every key that was added; what it returns is after how many seconds it wants the key again, or None.

    At most `concurrent` keys have a round at once, first come, first served. A round that raises is repeated with a backoff, which an
    addition cuts short; `expected` errors are logged without their traceback. To be constructed and used inside one event loop;
    additions before `start` are kept.
    """

    def __init__(
        self,
        handle: Callable[[Key], Awaitable[float | None]],
        *,
        concurrent: int = 16,
        backoff: Backoff | None = None,
        observer: Observer | None = None,
        expected: tuple[type[Exception], ...] = (),
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._handle = handle
        self._concurrent = concurrent
        self._backoff = backoff or Backoff()
        self._observer = observer or Unobserved()
        self._expected = expected
        self._chance = chance
        self._loop = asyncio.get_running_loop()
        self._due: deque[Key] = deque()  # due and waiting for a turn, each with the time it became so in _due_since
        self._due_since: dict[Key, float] = {}
        self._rounds: dict[Key, asyncio.Task[None]] = {}
        self._began: dict[Key, float] = {}  # when the rounds under way did
        self._again: dict[Key, float] = {}  # added during their round, and when
        self._waiters: dict[Key, list[asyncio.Future[float | None]]] = {}
        self._failures: dict[Key, int] = {}
        self._delays = _Delays[Key](self._loop, self._become_due)
        self._running = False
        self._stopped = False

    def start(self) -> None:
        """Begin with rounds."""
        self._running = True
        self._fill()

    async def stop(self, grace_s: float = 5.0) -> None:
        """Begin no more rounds, give those under way `grace_s` seconds to end, then cancel them. Whoever waits is told RoundAbandoned."""
        self._running, self._stopped = False, True
        self._delays.clear()
        rounds = list(self._rounds.values())
        if rounds:
            _, late = await asyncio.wait(rounds, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        _tell(itertools.chain.from_iterable(self._waiters.values()), None, RoundAbandoned())
        self._waiters.clear()

    def add(self, key: Key) -> None:
        """Have a round for the key that begins after now, as soon as there is a turn."""
        self._become_due(key, self._loop.time())

    def add_after(self, key: Key, delay_s: float) -> None:
        """Have a round for the key in so many seconds. Of several delays the earliest holds; a round in the meantime changes none."""
        if delay_s <= 0:
            self.add(key)
        elif not self._stopped:
            self._delays.add(key, self._loop.time() + delay_s)

    def longest_round_s(self) -> float:
        """Return for how long the oldest round under way has been; 0 when there is none."""
        return self._loop.time() - min(self._began.values(), default=self._loop.time())

    async def settled(self, key: Key) -> float | None:
        """Add the key and return what the next round that begins after now returns; raises what that round raises, or RoundAbandoned."""
        if self._stopped:
            raise RoundAbandoned
        waiter: asyncio.Future[float | None] = self._loop.create_future()
        self._waiters.setdefault(key, []).append(waiter)
        self.add(key)
        return await waiter

    def _become_due(self, key: Key, since: float) -> None:
        if key in self._rounds:
            self._again.setdefault(key, since)
        elif key not in self._due_since:
            self._due_since[key] = since
            self._due.append(key)
            self._fill()

    def _fill(self) -> None:
        while self._running and self._due and len(self._rounds) < self._concurrent:
            key = self._due.popleft()
            self._rounds[key] = self._loop.create_task(self._round(key, self._due_since.pop(key)))
        self._observer.waiting(len(self._due))

    async def _round(self, key: Key, due_since: float) -> None:
        self._again.pop(key, None)  # whoever came between the turn and this line is served by this round
        waiters = self._waiters.pop(key, [])
        self._began[key] = began = self._loop.time()
        again_s: float | None = None
        error: Exception | None = None
        try:
            self._observer.began(began - due_since)
            again_s = await self._handle(key)
        except asyncio.CancelledError:
            error = RoundAbandoned()
        except Exception as raised:  # noqa: BLE001 - whatever it was, the key must come again
            error = raised
        try:
            self._end(key, again_s, error)
        finally:  # a key that stays here never has a round again
            _tell(waiters, again_s, error)
            self._leave(key)

    def _end(self, key: Key, again_s: float | None, error: Exception | None) -> None:
        self._observer.ended(self._loop.time() - self._began.pop(key), error)
        if error:
            self._failed(key, error)
        else:
            self._failures.pop(key, None)
            if again_s is not None:
                self.add_after(key, again_s)

    def _failed(self, key: Key, error: Exception) -> None:
        failures = self._failures[key] = self._failures.get(key, 0) + 1
        pause_s = self._backoff.pause(failures, self._chance())
        traceback = None if isinstance(error, self._expected) else error
        _logger.warning("round of %s failed (%d in a row), again in %.3f s: %s", key, failures, pause_s, error, exc_info=traceback)
        self.add_after(key, pause_s)

    def _leave(self, key: Key) -> None:
        del self._rounds[key]
        since = self._again.pop(key, None)
        if since is None:
            self._fill()
        else:
            self._become_due(key, since)


def _tell(waiters: Iterable["asyncio.Future[float | None]"], again_s: float | None, error: Exception | None) -> None:
    for waiter in waiters:
        if waiter.done():  # it has stopped waiting
            continue
        if error:
            waiter.set_exception(error)
        else:
            waiter.set_result(again_s)


class _Delays(Generic[Key]):
    """When which key is due: one entry a key that counts, the earliest, and one timer for all."""

    def __init__(self, loop: asyncio.AbstractEventLoop, due: Callable[[Key, float], None]) -> None:
        self._loop = loop
        self._due = due
        self._at: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []  # overtaken entries count for nothing, and go when they are many
        self._order = itertools.count()
        # uvloop gives a plain Handle, which does not know its time, for a delay that rounds to nothing: so the time is kept beside it.
        self._timer: tuple[float, asyncio.Handle] | None = None

    def add(self, key: Key, at: float) -> None:
        """Have the key due at the loop's time `at`, unless it is due earlier anyway."""
        if at >= self._at.get(key, float("inf")):
            return
        self._at[key] = at
        if len(self._heap) > 2 * len(self._at) + 64:
            self._heap = [entry for entry in self._heap if self._at.get(entry[2]) == entry[0]]
            heapq.heapify(self._heap)
        heapq.heappush(self._heap, (at, next(self._order), key))
        if self._timer is None or at < self._timer[0]:
            self._arm()

    def clear(self) -> None:
        """Forget all."""
        self._at.clear()
        self._heap.clear()
        self._arm()

    def _arm(self) -> None:
        if self._timer:
            self._timer[1].cancel()
        self._timer = (self._heap[0][0], self._loop.call_at(self._heap[0][0], self._fire)) if self._heap else None

    def _fire(self) -> None:
        now = self._loop.time()
        while self._heap and self._heap[0][0] <= now:
            at, _, key = heapq.heappop(self._heap)
            if self._at.get(key) == at:
                del self._at[key]
                self._due(key, at)
        self._arm()

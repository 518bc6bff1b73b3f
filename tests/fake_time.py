"""An event loop whose clock jumps to the next timer instead of waiting for it: hours of delays pass in no time, and always the same way."""

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import TypeVar

from typing_extensions import override

Result = TypeVar("Result")


class _Jumping(selectors.DefaultSelector):
    """A selector that, where it should wait, moves the clock instead."""

    now = 0.0

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready:
            if timeout is None:
                raise RuntimeError("everybody waits for something that nobody will do")
            self.now += max(0.0, timeout)
        return ready


class FakeTimeLoop(asyncio.SelectorEventLoop):
    """The loop; its time starts at 0 s."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    @override
    def time(self) -> float:
        return self._jumping.now


def in_fake_time(story: Callable[[], Awaitable[Result]]) -> Result:
    """Run the story to its end on such a loop and return what it returns."""

    async def told() -> Result:
        return await story()

    with asyncio.Runner(loop_factory=FakeTimeLoop) as runner:
        return runner.run(told())


def now() -> float:
    """Return the running loop's time in seconds, without the rounding of its timers."""
    return round(asyncio.get_running_loop().time(), 6)

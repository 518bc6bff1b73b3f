import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable

import pytest
import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from retrainer.workqueue import Backoff, Observer, RoundAbandoned, Unobserved, WorkQueue
from tests.fake_time import in_fake_time, now

Step = Callable[[], Awaitable[float | None]]


class Worker:
    """Writes down when each key's rounds begin, and does in each what the test says."""

    def __init__(self, takes_s: float = 0.0) -> None:
        self.takes_s = takes_s
        self.began: dict[str, list[float]] = defaultdict(list)
        self.busy: set[str] = set()
        self.most_busy = 0
        self.steps: list[Step] = []

    async def __call__(self, key: str) -> float | None:
        assert key not in self.busy, "two rounds of one key at once"
        self.busy.add(key)
        self.most_busy = max(self.most_busy, len(self.busy))
        self.began[key].append(now())
        try:
            await asyncio.sleep(self.takes_s)
            return await self.steps.pop(0)() if self.steps else None
        finally:
            self.busy.discard(key)


def wants(again_s: float | None) -> Step:
    async def step() -> float | None:
        return again_s

    return step


def fails(message: str = "no luck") -> Step:
    async def step() -> float | None:
        raise ValueError(message)

    return step


def queue_of(worker: Worker, **options: object) -> WorkQueue[str]:
    queue = WorkQueue[str](worker, chance=lambda: 0.0, **options)  # type: ignore[arg-type]
    queue.start()
    return queue


def test_many_additions_before_a_round_are_one_round() -> None:
    async def story() -> None:
        worker = Worker()
        queue = queue_of(worker)
        for _ in range(100):
            queue.add("a")
        await asyncio.sleep(1)
        assert worker.began["a"] == [0]

    in_fake_time(story)


def test_many_additions_during_a_round_are_one_more_round() -> None:
    async def story() -> None:
        worker = Worker(takes_s=10)
        queue = queue_of(worker)
        queue.add("a")
        for _ in range(5):
            await asyncio.sleep(1)
            queue.add("a")
        await asyncio.sleep(100)
        assert worker.began["a"] == [0, 10]

    in_fake_time(story)


def test_keys_take_turns_in_the_order_they_came_and_never_more_than_allowed_at_once() -> None:
    async def story() -> None:
        worker = Worker(takes_s=10)
        queue = queue_of(worker, concurrent=2)
        for key in "abcde":
            queue.add(key)
        await asyncio.sleep(100)
        assert worker.most_busy == 2
        assert worker.began == {"a": [0], "b": [0], "c": [10], "d": [10], "e": [20]}

    in_fake_time(story)


def test_a_busy_key_does_not_hold_up_the_others() -> None:
    async def story() -> None:
        worker = Worker(takes_s=10)
        queue = queue_of(worker, concurrent=2)
        queue.add("a")
        await asyncio.sleep(1)
        queue.add("a")
        queue.add("b")
        await asyncio.sleep(5)
        assert worker.began["b"] == [1]

    in_fake_time(story)


def test_the_earliest_of_several_delays_holds() -> None:
    async def story() -> None:
        worker = Worker()
        queue = queue_of(worker)
        for delay_s in (30, 10, 20):
            queue.add_after("a", delay_s)
        await asyncio.sleep(100)
        assert worker.began["a"] == [10]

    in_fake_time(story)


def test_a_round_in_the_meantime_leaves_a_delay_as_it_is() -> None:
    async def story() -> None:
        worker = Worker()
        queue = queue_of(worker)
        queue.add_after("a", 10)
        queue.add("a")
        await asyncio.sleep(100)
        assert worker.began["a"] == [0, 10]

    in_fake_time(story)


def test_no_delay_is_now() -> None:
    async def story() -> None:
        worker = Worker()
        queue = queue_of(worker)
        queue.add_after("a", 0)
        queue.add_after("b", -5)
        await asyncio.sleep(1)
        assert worker.began == {"a": [0], "b": [0]}

    in_fake_time(story)


def test_a_round_says_when_it_wants_to_come_again() -> None:
    async def story() -> None:
        worker = Worker()
        worker.steps = [wants(60), wants(3600), wants(None)]
        queue = queue_of(worker)
        queue.add("a")
        await asyncio.sleep(100_000)
        assert worker.began["a"] == [0, 60, 3660]

    in_fake_time(story)


def test_a_failing_key_comes_again_with_growing_pauses_and_success_resets_them() -> None:
    async def story() -> None:
        worker = Worker()
        worker.steps = [fails(), fails(), fails(), wants(None), fails(), wants(None)]
        queue = queue_of(worker, backoff=Backoff(first_s=0.05, longest_s=30))
        queue.add("a")
        await asyncio.sleep(10)
        queue.add("a")
        await asyncio.sleep(10)
        assert worker.began["a"] == pytest.approx([0, 0.05, 0.15, 0.35, 10, 10.05])

    in_fake_time(story)


def test_an_addition_cuts_a_backoff_short() -> None:
    async def story() -> None:
        worker = Worker()
        worker.steps = [fails()]
        queue = queue_of(worker, backoff=Backoff(first_s=20, longest_s=30))
        queue.add("a")
        await asyncio.sleep(1)
        queue.add("a")
        await asyncio.sleep(1)
        assert worker.began["a"] == [0, 1]

    in_fake_time(story)


@given(failures=st.integers(1, 10_000), chance=st.floats(0, 1))
def test_a_backoff_stays_within_its_bounds(failures: int, chance: float) -> None:
    assert 0.05 <= Backoff().pause(failures, chance) <= 30


def test_a_failure_is_logged_with_its_key_and_when_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        worker = Worker()
        worker.steps = [fails("the disk is full")]
        queue_of(worker).add("shop/churn")
        await asyncio.sleep(1)

    with caplog.at_level(logging.WARNING, "retrainer.workqueue"):
        in_fake_time(story)
    assert "shop/churn failed (1 in a row), again in 0.050 s: the disk is full" in caplog.text
    assert "Traceback" in caplog.text


def test_an_expected_failure_is_logged_without_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    async def story() -> None:
        worker = Worker()
        worker.steps = [fails("conflict")]
        queue_of(worker, expected=(ValueError,)).add("shop/churn")
        await asyncio.sleep(1)

    with caplog.at_level(logging.WARNING, "retrainer.workqueue"):
        in_fake_time(story)
    assert "conflict" in caplog.text
    assert "Traceback" not in caplog.text


def test_who_waits_gets_what_the_next_round_returns() -> None:
    async def story() -> None:
        worker = Worker(takes_s=1)
        worker.steps = [wants(7)]
        queue = queue_of(worker)
        assert await queue.settled("a") == 7
        assert now() == 1

    in_fake_time(story)


def test_a_round_under_way_does_not_count_for_who_comes_during_it() -> None:
    async def story() -> None:
        worker = Worker(takes_s=10)
        worker.steps = [wants(1_000), wants(2_000)]
        queue = queue_of(worker)
        queue.add("a")
        await asyncio.sleep(5)
        assert await queue.settled("a") == 2_000
        assert now() == 20

    in_fake_time(story)


def test_who_waits_is_told_of_a_failed_round_at_once() -> None:
    async def story() -> None:
        worker = Worker()
        worker.steps = [fails("conflict")]
        queue = queue_of(worker, backoff=Backoff(first_s=10))
        with pytest.raises(ValueError, match="conflict"):
            await queue.settled("a")
        assert now() == 0
        assert await queue.settled("a") is None

    in_fake_time(story)


def test_many_wait_for_one_round_and_one_of_them_may_leave() -> None:
    async def story() -> None:
        worker = Worker(takes_s=10)
        worker.steps = [wants(1), wants(2)]
        queue = queue_of(worker)
        patient = [asyncio.ensure_future(queue.settled("a")) for _ in range(3)]
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(5):
                await queue.settled("a")
        assert await asyncio.gather(*patient) == [1, 1, 1]
        await queue.stop()

    in_fake_time(story)


def test_a_round_that_is_cancelled_from_within_comes_again() -> None:
    async def cancelled() -> float | None:
        raise asyncio.CancelledError

    async def story() -> None:
        worker = Worker()
        worker.steps = [cancelled]
        queue = queue_of(worker)
        with pytest.raises(RoundAbandoned):
            await queue.settled("a")
        await asyncio.sleep(1)
        assert worker.began["a"] == [0, 0.05]

    in_fake_time(story)


def test_what_is_added_before_the_start_is_kept() -> None:
    async def story() -> None:
        worker = Worker()
        queue = WorkQueue[str](worker)
        queue.add("a")
        await asyncio.sleep(5)
        assert not worker.began
        queue.start()
        await asyncio.sleep(0)
        assert worker.began["a"] == [5]

    in_fake_time(story)


def test_stopping_lets_a_round_end_and_begins_no_other() -> None:
    async def story() -> None:
        worker = Worker(takes_s=2)
        queue = queue_of(worker, concurrent=1)
        first, second = (asyncio.ensure_future(queue.settled(key)) for key in "ab")
        queue.add_after("c", 1)
        await asyncio.sleep(0)
        await queue.stop(grace_s=5)
        assert now() == 2
        assert await first is None
        for waiting in (second, queue.settled("d")):
            with pytest.raises(RoundAbandoned):
                await waiting
        await asyncio.sleep(100)
        assert set(worker.began) == {"a"}

    in_fake_time(story)


def test_stopping_cancels_a_round_that_outlasts_its_grace() -> None:
    async def story() -> None:
        worker = Worker(takes_s=1_000)
        queue = queue_of(worker)
        waiting = asyncio.ensure_future(queue.settled("a"))
        await asyncio.sleep(1)
        await queue.stop(grace_s=5)
        assert now() == 6
        assert not worker.busy
        with pytest.raises(RoundAbandoned):
            await waiting

    in_fake_time(story)


def test_the_observer_sees_depth_waiting_time_and_every_round() -> None:
    class Notes(Observer):
        def __init__(self) -> None:
            self.depth: list[int] = []
            self.waited: list[float] = []
            self.errors: list[str] = []

        @override
        def waiting(self, keys: int) -> None:
            self.depth.append(keys)

        @override
        def began(self, waited_s: float) -> None:
            self.waited.append(round(waited_s, 6))

        @override
        def ended(self, took_s: float, error: Exception | None) -> None:
            self.errors.append(type(error).__name__)

    async def story() -> None:
        notes, worker = Notes(), Worker(takes_s=3)
        worker.steps = [fails(), wants(None), wants(None)]
        queue = queue_of(worker, concurrent=1, observer=notes, backoff=Backoff(first_s=100, longest_s=200))
        queue.add("a")
        queue.add("b")
        queue.add_after("c", 1)
        await asyncio.sleep(50)
        assert max(notes.depth) == 2
        assert notes.depth[-1] == 0
        assert notes.waited == [0, 3, 5]
        assert notes.errors == ["ValueError", "NoneType", "NoneType"]

    in_fake_time(story)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 20), st.floats(0, 20)), max_size=30))
def test_every_addition_is_followed_by_a_round_and_no_key_ever_has_two_at_once(plan: list[tuple[str, float, float]]) -> None:
    async def story() -> None:
        worker = Worker(takes_s=1.5)
        queue = queue_of(worker, concurrent=2)
        last: dict[str, float] = {}

        async def add(key: str, at: float, delay_s: float) -> None:
            await asyncio.sleep(at)
            queue.add_after(key, delay_s)
            last[key] = max(last.get(key, 0), now())

        await asyncio.gather(*(add(*step) for step in plan))
        await asyncio.sleep(200)
        assert all(worker.began[key][-1] >= at for key, at in last.items())
        assert worker.most_busy <= 2

    in_fake_time(story)


def test_thousands_of_overtaken_delays_take_no_room() -> None:
    async def story() -> None:
        queue = queue_of(Worker())
        for earlier in range(10_000):
            queue.add_after("a", 1_000_000 - earlier)
        assert len(queue._delays._heap) < 200
        await queue.stop()

    in_fake_time(story)


def test_a_delay_that_uvloop_rounds_to_nothing_holds_up_no_other() -> None:
    async def story() -> None:
        worker, done = Worker(), asyncio.Event()

        async def last() -> None:
            done.set()

        worker.steps = [wants(0.0003), wants(0.0002), wants(None), last]
        queue = queue_of(worker)
        queue.add("a")
        queue.add("b")
        async with asyncio.timeout(5):
            await done.wait()
        await queue.stop()
        assert [len(worker.began[key]) for key in "ab"] == [2, 2]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(story())


def test_a_round_that_cannot_be_ended_properly_leaves_its_key_free() -> None:
    class Broken(Unobserved):
        @override
        def ended(self, took_s: float, error: Exception | None) -> None:
            raise ValueError("no such label")

    async def story() -> None:
        worker = Worker(takes_s=1)
        queue = queue_of(worker, observer=Broken())
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        queue.add("a")
        await asyncio.sleep(5)
        queue.add("a")
        await asyncio.sleep(5)
        assert worker.began["a"] == [0, 5]

    in_fake_time(story)


def test_how_long_the_oldest_round_has_been_under_way_is_known() -> None:
    async def story() -> None:
        queue = queue_of(Worker(takes_s=100))
        assert queue.longest_round_s() == 0
        queue.add("a")
        await asyncio.sleep(30)
        queue.add("b")
        await asyncio.sleep(30)
        assert round(queue.longest_round_s()) == 60
        await asyncio.sleep(60)
        assert round(queue.longest_round_s()) == 90
        await asyncio.sleep(60)
        assert queue.longest_round_s() == 0

    in_fake_time(story)

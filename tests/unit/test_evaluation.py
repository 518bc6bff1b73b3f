"""The loop that asks Prometheus: what it asks, how often, whom it wakes, and what it shows."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest
from typing_extensions import override

from retrainer.core.measurement import Answer, NoData, NoDataReason, Question, Series, Vector
from retrainer.core.observation import PolicySeen
from retrainer.core.presets import PRESETS, fleet_questions, selector
from retrainer.evaluation import Evaluator
from retrainer.ports import Gauges, Key
from retrainer.telemetry import Telemetry
from tests.builders import NOW, Part, a_policy
from tests.fake_time import in_fake_time, now
from tests.fakes import FakeClock, FakeMetrics, FakeWorld

ACCURACY = {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.7, "window": "7d", "min_samples": 10}}
OWN = {"name": "own", "metric": {"query": "sum(x)", "max": 3}}


class Seen(Gauges):
    """What the loop shows."""

    def __init__(self) -> None:
        self.values: dict[tuple[Key, str], float] = {}
        self.cycles: list[tuple[str, float]] = []
        self.ends: list[tuple[str, float]] = []
        self.cycled_once = asyncio.Event()

    @override
    def cycled(self, lane: str, late_s: float, took_s: float) -> None:
        self.cycles.append((lane, late_s))
        self.ends.append((lane, now()))
        self.cycled_once.set()

    @override
    def show_value(self, key: Key, trigger: str, value: float | None) -> None:
        self.values.pop((key, trigger), None)
        if value is not None:
            self.values[key, trigger] = value


class Room:
    """A loop with its world, its Prometheus, and who was woken."""

    def __init__(self, *policies: PolicySeen, open_source: bool = False) -> None:
        self.world = FakeWorld(*policies)
        self.metrics = FakeMetrics()
        self.metrics.open = open_source
        self.clock = FakeClock(NOW)
        self.seen = Seen()
        self.woken: list[Key] = []
        self.woke = asyncio.Event()
        self.loop = Evaluator(self.world, self.metrics, self.clock, self._wake, self.seen)

    def _wake(self, key: Key) -> None:
        self.woken.append(key)
        self.woke.set()

    def accuracy(self, **correct: float) -> None:
        """Have Prometheus tell of each policy's model how many of 1,000 predictions were right."""
        asked = asked_about("")
        ratios = {name: right / 1000 for name, right in correct.items()}
        for question, values in zip(asked, (ratios, dict.fromkeys(correct, 1000.0)), strict=True):
            self.metrics.answers[question] = vector(values)

    async def cycle(self, after_s: float = 15) -> list[Key]:
        """Ask once for all, and return who was woken."""
        self.woken.clear()
        await self.loop.ask_for_all()
        self.clock.advance(seconds=after_s)
        return list(self.woken)

    def reason(self, policy: str = "churn", trigger: str = "accuracy") -> str:
        return self.loop.of(("members", policy))[trigger].reason


def asked_about(only: str) -> tuple[Question, Question]:
    return fleet_questions(PRESETS["Accuracy"], "default", 7 * 86400, only)


def vector(values: Mapping[str, float]) -> Answer:
    series = [Series({"namespace": "members", "model_type": name, "model_version": "v1"}, value) for name, value in values.items()]
    return Vector(tuple(series), NOW)


def policy(name: str = "churn", *triggers: dict[str, Any], **spec: Part) -> PolicySeen:
    status = {"champion": {"version": "v1", "since": NOW - timedelta(days=9)}}
    return a_policy(name, model_type=name, triggers=list(triggers or (ACCURACY,)), status=status, **spec)


async def test_a_hundred_policies_ask_one_preset_once() -> None:
    names = [f"m{number}" for number in range(100)]
    room = Room(*(policy(name) for name in names))
    room.accuracy(**dict.fromkeys(names, 900.0))
    await room.cycle()
    assert len(room.metrics.asked) == 2
    assert {room.reason(name) for name in names} == {"WithinBounds"}


async def test_presets_that_share_a_question_ask_it_once() -> None:
    drift = [{"name": preset.lower(), "metric": {"preset": preset, "max": 0.2}} for preset in ("FeatureDrift", "PredictionDrift")]
    room = Room(policy("churn", *drift))
    await room.cycle()
    assert len(room.metrics.asked) == 3


async def test_only_those_are_woken_for_whom_something_is_new() -> None:
    room = Room(policy("churn"), policy("load"))
    room.accuracy(churn=900, load=900)
    assert sorted(await room.cycle()) == [("members", "churn"), ("members", "load")]
    room.accuracy(churn=905, load=600)
    assert await room.cycle() == [("members", "load")]
    assert await room.cycle() == []


async def test_what_prometheus_cannot_tell_of_one_model_it_tells_of_the_others() -> None:
    room = Room(policy("churn"), policy("load"), policy("third"))
    room.accuracy(churn=900)
    figures, samples = (room.metrics.answers[asked] for asked in asked_about(""))
    assert isinstance(samples, Vector)
    lost = {"namespace": "members", "model_type": "load", "model_version": "v1"}
    room.metrics.answers[asked_about("")[1]] = replace(samples, not_finite=(lost,))
    await room.cycle()
    assert [room.reason(name) for name in ("churn", "load", "third")] == ["WithinBounds", "NaN", "NoSeries"]
    assert isinstance(figures, Vector)


async def test_two_series_of_one_model_are_no_figure() -> None:
    room = Room(policy("churn"))
    room.accuracy(churn=600)
    figures = room.metrics.answers[asked_about("")[0]]
    assert isinstance(figures, Vector)
    room.metrics.answers[asked_about("")[0]] = replace(figures, series=figures.series * 2)
    await room.cycle()
    assert room.reason() == "Ambiguous"


async def test_one_tenants_broken_series_do_not_blind_the_others() -> None:
    theirs = replace(policy("load"), identity=replace(policy("load").identity, namespace="others"))
    room = Room(policy("churn"), theirs)
    room.accuracy(churn=600)
    warned = NoData(NoDataReason.WARNING, "a bucket label is malformed")
    for wide, ours, others in zip(*(asked_about(only) for only in ("", selector("members"), selector("others"))), strict=True):
        room.metrics.answers |= {ours: room.metrics.answers[wide], wide: warned, others: warned}
    await room.cycle()
    assert (room.reason(), room.loop.of(("others", "load"))["accuracy"].reason) == ("ThresholdCrossed", "Warning")
    assert len(room.metrics.asked) == 6


async def test_a_policy_without_a_champion_is_not_judged() -> None:
    room = Room(a_policy("churn", model_type="churn", triggers=[ACCURACY]))
    room.accuracy(churn=100)
    await room.cycle()
    assert room.reason() == "NoVersionYet"


async def test_an_edited_trigger_begins_anew_and_one_beside_it_goes_on() -> None:
    other = {"name": "other", "metric": {"preset": "Accuracy", "min": 0.71, "window": "7d", "min_samples": 10}}
    room = Room(policy("churn", ACCURACY, other))
    room.accuracy(churn=600)
    await room.cycle()
    began = room.loop.of(("members", "churn"))["accuracy"].memory.episode
    edited = {"name": "accuracy", "metric": ACCURACY["metric"] | {"min": 0.65}}
    room.world.put(replace(policy("churn", edited, other), generation=4))
    await room.cycle()
    found = room.loop.of(("members", "churn"))
    assert (found["other"].memory.episode, began) == (NOW, NOW)
    assert found["accuracy"].memory.episode == NOW + timedelta(seconds=15)


async def test_a_restart_goes_on_with_the_episode_that_the_status_remembers() -> None:
    since = NOW - timedelta(hours=2)
    started = {"name": "accuracy", "state": "Started", "reason": "ThresholdCrossed", "since": since, "episode": since}
    known = policy("churn")
    room = Room(replace(known, status=type(known.status).model_validate(known.status.model_dump() | {"triggers": [started]})))
    room.accuracy(churn=600)
    await room.cycle()
    assert room.loop.of(("members", "churn"))["accuracy"].memory.episode == since


async def test_an_episode_of_another_bound_is_not_gone_on_with_after_a_restart() -> None:
    since = NOW - timedelta(hours=2)
    refused = {"name": "accuracy", "state": "Refused", "reason": "CoolingDown", "since": since, "episode": since}
    known = policy("churn")
    for threshold, episode in ((0.7, since), (0.8, NOW)):
        status = known.status.model_dump() | {"triggers": [refused | {"value": 0.6, "threshold": threshold}]}
        room = Room(replace(known, status=type(known.status).model_validate(status)))
        room.accuracy(churn=600)
        await room.cycle()
        assert room.loop.of(("members", "churn"))["accuracy"].memory.episode == episode


async def test_an_edited_trigger_does_not_go_on_with_the_episode_of_what_it_asked_before() -> None:
    refused = {"name": "accuracy", "state": "Refused", "reason": "CoolingDown", "since": NOW, "episode": NOW}
    known = policy("churn")
    known = replace(known, status=type(known.status).model_validate(known.status.model_dump() | {"triggers": [refused]}))
    room = Room(known)
    room.accuracy(churn=600)
    await room.cycle()
    assert room.reason() == "ThresholdCrossed"
    milder = policy("churn", {"name": "accuracy", "metric": ACCURACY["metric"] | {"min": 0.58}})  # 0.6 is not by the margin inside
    room.world.put(replace(known, spec=milder.spec, generation=4))
    await room.cycle()
    assert room.reason() == "WithinBounds"


async def test_an_episode_of_an_older_champion_is_not_gone_on_with() -> None:
    since = NOW - timedelta(days=20)
    started = {"name": "accuracy", "state": "Started", "reason": "ThresholdCrossed", "since": since, "episode": since}
    known = policy("churn")
    room = Room(replace(known, status=type(known.status).model_validate(known.status.model_dump() | {"triggers": [started]})))
    room.accuracy(churn=600)
    await room.cycle()
    assert room.loop.of(("members", "churn"))["accuracy"].memory.episode == NOW


async def test_live_values_are_shown_and_taken_away() -> None:
    room = Room(policy("churn"), policy("load"))
    room.accuracy(churn=900, load=800)
    await room.cycle()
    assert room.seen.values == {(("members", "churn"), "accuracy"): 0.9, (("members", "load"), "accuracy"): 0.8}
    room.world.remove(("members", "load"))
    room.accuracy(load=800)
    await room.cycle()
    assert room.seen.values == {}


@pytest.mark.parametrize("allowed", [True, False])
async def test_a_policys_own_query_is_asked_only_where_the_administrator_allows_it(*, allowed: bool) -> None:
    room = Room(policy("churn", OWN), policy("load", OWN), open_source=allowed)
    room.metrics.answers[Question("default", "sum(x)")] = Vector((Series({}, 5.0),), NOW)
    await room.loop.ask_queries(0)
    await room.cycle()
    assert room.metrics.asked == [Question("default", "sum(x)")] * allowed, "one query, however many policies ask it"
    expected = "ThresholdCrossed" if allowed else "QueryNotAllowed"
    assert {room.reason(name, "own") for name in ("churn", "load")} == {expected}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Vector((Series({}, 1.0), Series({"a": "b"}, 2.0)), NOW), "Ambiguous"),
        (Vector((Series({}, 1.0),), NOW, not_finite=({"a": "b"},)), "NaN"),
        (NoData(NoDataReason.EMPTY, "no series"), "Empty"),
    ],
)
async def test_a_query_that_does_not_come_to_one_number_is_no_data(answer: Answer, reason: str) -> None:
    room = Room(policy("churn", OWN), open_source=True)
    room.metrics.answers[Question("default", "sum(x)")] = answer
    await room.loop.ask_queries(0)
    assert room.reason(trigger="own") == reason


def test_queries_are_spread_over_the_interval() -> None:
    room = Room(policy("churn", *({"name": f"own-{n}", "metric": {"query": f"x{n}", "max": 3}} for n in range(6))), open_source=True)

    async def half_a_minute() -> int:
        asking = asyncio.create_task(room.loop.ask_queries(60))
        await asyncio.sleep(25)
        asked = len(room.metrics.asked)
        await asking
        return asked

    assert (in_fake_time(half_a_minute), len(room.metrics.asked)) == (3, 6)


async def test_only_a_few_queries_are_under_way_at_once() -> None:
    room = Room(policy("churn", *({"name": f"own-{n}", "metric": {"query": f"x{n}", "max": 3}} for n in range(20))), open_source=True)
    room.metrics.takes_s = 0.001
    await room.loop.ask_queries(0)
    assert len(room.metrics.asked) == 20
    assert room.metrics.most_under_way == 5


def test_cycles_are_an_interval_apart_give_or_take_a_tenth() -> None:
    room = Room(policy("churn"))

    async def two_hours() -> None:
        running = asyncio.create_task(room.loop.run(15))
        await asyncio.sleep(7200)
        running.cancel()

    in_fake_time(two_hours)
    for lane in ("fleet", "queries"):
        ends = [at for one, at in room.seen.ends if one == lane]
        gaps = [after - before for before, after in pairwise(ends)]
        assert 13.5 <= min(gaps) < 14
        assert 16 < max(gaps) <= 16.5
        assert len(gaps) == pytest.approx(7200 / 15, rel=0.03)


async def test_a_cycle_that_fails_is_followed_by_the_next(caplog: pytest.LogCaptureFixture) -> None:
    room = Room(policy("churn"))
    room.world.broken = True
    running = asyncio.create_task(room.loop.run(0.001))
    await room.seen.cycled_once.wait()
    room.world.broken = False
    await room.woke.wait()
    running.cancel()
    assert "the next one is due as ever" in caplog.text
    assert min(late for _, late in room.seen.cycles) >= 0


async def test_an_answer_to_a_trigger_that_was_edited_meanwhile_is_dropped() -> None:
    room = Room(policy("churn", OWN), open_source=True)
    room.metrics.takes_s = 0.02
    asking = asyncio.create_task(room.loop.ask_queries(0))
    await room.metrics.began.wait()
    room.world.put(replace(policy("churn"), generation=4))
    await room.cycle()
    await asking
    assert "own" not in room.loop.of(("members", "churn"))


def test_the_operators_metrics_show_state_and_reason_as_the_status_does() -> None:
    telemetry = Telemetry()
    labels = {"namespace": "shop", "policy": "churn", "trigger": "accuracy"}
    telemetry.show_triggers("shop", "churn", {"accuracy": ("Armed", "WithinBounds")})
    telemetry.show_triggers("shop", "churn", {"accuracy": ("Unknown", "NoSeries")})
    value = telemetry.registry.get_sample_value
    assert value("retrainer_trigger_state", labels | {"state": "Unknown", "reason": "NoSeries"}) == 1
    assert value("retrainer_trigger_state", labels | {"state": "Armed", "reason": "WithinBounds"}) is None
    telemetry.show_value(("shop", "churn"), "accuracy", 0.9)
    assert value("retrainer_trigger_value", labels) == 0.9
    telemetry.forget_policy("shop", "churn")
    assert value("retrainer_trigger_value", labels) is None
    assert value("retrainer_trigger_state", labels | {"state": "Unknown", "reason": "NoSeries"}) is None

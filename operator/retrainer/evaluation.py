"""The one loop that asks Prometheus for all policies at once, and wakes a policy only when what a trigger came to is news.

Presets and schemas are asked about every model in one question each (the fleet's lane, all at once at each interval). Queries of a
policy's own, identical ones once, are spread over the interval, a few at a time (the queries' lane). What an answer means is pure:
`core/asking.py`.
"""

import asyncio
import logging
import random
from collections import ChainMap
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from typing_extensions import override

from retrainer.core.asking import Asking, asked_by, evaluated
from retrainer.core.fleet import FleetAnswer
from retrainer.core.measurement import Question
from retrainer.core.observation import PolicySeen
from retrainer.core.presets import selector
from retrainer.core.triggers.evaluation import ASKED_FIRST, Evaluation
from retrainer.ports import Clock, Evaluations, Gauges, Key, Metrics, World

_logger = logging.getLogger(__name__)
_JITTER: Final = 0.1
_QUESTIONS_AT_ONCE: Final = 8
_QUERIES_AT_ONCE: Final = 5
_BREATHES_EVERY: Final = 200


@dataclass(slots=True)
class _Desk:
    """A policy as the loop knows it: what it asks, and what each trigger came to."""

    policy: PolicySeen
    asking: tuple[Asking, ...]
    found: dict[str, Evaluation] = field(default_factory=dict)


class Evaluator(Evaluations):
    """Evaluates every metric and schema trigger at each interval; `wake` puts a policy's key on the queue."""

    def __init__(self, world: World, metrics: Metrics, clock: Clock, wake: Callable[[Key], None], gauges: Gauges) -> None:
        self._world = world
        self._metrics = metrics
        self._clock = clock
        self._wake = wake
        self._gauges = gauges
        self._desks: dict[Key, _Desk] = {}

    @override
    def of(self, key: Key) -> Mapping[str, Evaluation]:
        desk = self._desks.get(key)
        return dict(desk.found) if desk else {}

    async def run(self, interval_s: float) -> None:
        """Go round both lanes, every `interval_s` seconds or so, until cancelled."""
        async with asyncio.TaskGroup() as lanes:
            lanes.create_task(self._repeat("fleet", self.ask_for_all, interval_s))
            lanes.create_task(self._repeat("queries", lambda: self.ask_queries(interval_s), interval_s))

    async def ask_for_all(self) -> None:
        """Ask once what presets and schemas want to know of all models, and evaluate every trigger that wants it."""
        self._take_up_policies()
        wanted = [(key, one) for key, one in self._asking() if not one.asks_a_query]
        tables = await self._ask({question for _, one in wanted for question in one.questions}, _QUESTIONS_AT_ONCE)
        apart = await self._ask_apart(wanted, tables)
        for number, (key, one) in enumerate(wanted):
            self._evaluate(key, one, apart.get(key[0], tables))
            if number % _BREATHES_EVERY == 0:
                await asyncio.sleep(0)  # rollbacks do not wait for a thousand policies

    async def ask_queries(self, spread_s: float) -> None:
        """Ask each distinct query of the policies' own once, evenly over `spread_s` seconds and a few at a time."""
        self._take_up_policies()
        asked = sorted({one.questions[0] for _, one in self._asking() if one.asks_a_query}, key=lambda one: (one.source, one.promql))
        turns = asyncio.Semaphore(_QUERIES_AT_ONCE)
        async with asyncio.TaskGroup() as asking:
            for number, question in enumerate(asked):
                asking.create_task(self._ask_query(question, number * spread_s / len(asked), turns))

    async def _ask(self, asked: Iterable[Question], at_once: int) -> dict[Question, FleetAnswer]:
        turns = asyncio.Semaphore(at_once)

        async def ask(question: Question) -> tuple[Question, FleetAnswer]:
            async with turns:
                return question, FleetAnswer(await self._metrics.ask(question))

        ordered = sorted(asked, key=lambda question: (question.source, question.promql))
        return dict(await asyncio.gather(*(ask(question) for question in ordered)))

    async def _ask_apart(
        self, wanted: Sequence[tuple[Key, Asking]], tables: Mapping[Question, FleetAnswer]
    ) -> dict[str, Mapping[Question, FleetAnswer]]:
        """Return the answers by namespace where one about all was spoiled: a tenant's broken series blind nobody else.

        Only while that is so does the cost grow, with the namespaces.
        """
        spoiled = {question for question, table in tables.items() if table.is_spoiled}
        narrow = {
            (key[0], wide): asked
            for key, one in (wanted if spoiled else ())
            if not spoiled.isdisjoint(one.questions)
            for wide, asked in zip(one.questions, one.narrowed(selector(key[0])), strict=True)
        }
        answers = await self._ask(set(narrow.values()), _QUERIES_AT_ONCE)
        apart: dict[str, ChainMap[Question, FleetAnswer]] = {}
        for (namespace, wide), asked in narrow.items():
            apart.setdefault(namespace, ChainMap({}, dict(tables)))[wide] = answers[asked]
        return dict(apart)

    async def _ask_query(self, question: Question, after_s: float, turns: asyncio.Semaphore) -> None:
        await asyncio.sleep(after_s)
        async with turns:
            answer = FleetAnswer(await self._metrics.ask(question))
        for key, one in [(key, one) for key, one in self._asking() if one.asks_a_query and one.questions[0] == question]:
            self._evaluate(key, one, {question: answer})

    def _evaluate(self, key: Key, one: Asking, answers: Mapping[Question, FleetAnswer]) -> None:
        desk = self._desks.get(key)
        if desk is None or one not in desk.asking:
            return  # edited or gone while Prometheus was thinking
        before = desk.found.get(one.trigger)
        after = desk.found[one.trigger] = evaluated(one, desk.policy, answers, before, self._clock.now())
        self._gauges.show_value(key, one.trigger, after.live_value)
        if after.is_news_after(before):
            self._wake(key)

    def _asking(self) -> Iterator[tuple[Key, Asking]]:
        for key, desk in self._desks.items():
            for one in desk.asking:
                yield key, one

    def _take_up_policies(self) -> None:
        """Bring the desks to what the caches hold; a policy that is gone is forgotten."""
        keys = set(self._world.keys())
        for key in self._desks.keys() - keys:
            self._forget(key, self._desks.pop(key).found)
        for key in keys:
            policy, desk = self._world.policy(key), self._desks.get(key)
            if policy is not None and (desk is None or desk.policy is not policy):
                self._desks[key] = self._renewed(key, policy, desk)

    def _renewed(self, key: Key, policy: PolicySeen, desk: _Desk | None) -> _Desk:
        """Return a policy's desk; a trigger that asks another question, or holds the answer to another bound, begins anew.

        It must not even take up the episode that the status remembers: that is of what it asked before.
        """
        if desk is not None and desk.policy.identity.uid == policy.identity.uid and desk.policy.generation == policy.generation:
            return _Desk(policy, desk.asking, desk.found)
        asking = asked_by(policy, allows_queries=self._metrics.allows_queries(policy.spec.metrics_source))
        if desk is None:
            return _Desk(policy, asking)
        same = desk.asking if desk.policy.identity.uid == policy.identity.uid else ()
        kept = {one.trigger: desk.found[one.trigger] for one in asking if one in same and one.trigger in desk.found}
        self._forget(key, desk.found.keys() - kept.keys())
        edited = {one.trigger for one in asking if one not in same} & {one.trigger for one in same}
        return _Desk(policy, asking, kept | dict.fromkeys(edited, ASKED_FIRST))

    def _forget(self, key: Key, triggers: Iterable[str]) -> None:
        for trigger in triggers:
            self._gauges.show_value(key, trigger, None)

    async def _repeat(self, lane: str, cycle: Callable[[], Awaitable[None]], interval_s: float) -> None:
        """Run cycles, each due an interval after the one before, give or take a tenth; after one that overran the next shows as late."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            await asyncio.sleep(max(0.0, due - loop.time()))
            began = loop.time()
            try:
                await cycle()
            except Exception:
                _logger.exception("a cycle of the %s lane failed; the next one is due as ever", lane)
            self._gauges.cycled(lane, began - due, loop.time() - began)
            due = max(due + interval_s * random.uniform(1 - _JITTER, 1 + _JITTER), began)  # noqa: S311 - jitter

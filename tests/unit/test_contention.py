"""Somebody else changes the Service or the route: undone once, left alone the second time. On an API server in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from retrainer.adapters.world import WatchedWorld
from retrainer.apply import Hands
from retrainer.core.actions import SendTraffic
from retrainer.core.kinds import Kind, Ref
from retrainer.core.observation import Observation
from retrainer.errors import FieldConflict
from retrainer.manifests.route import route_seen
from retrainer.manifests.seen import service_seen
from retrainer.ports import Defaults
from tests.builders import CANDIDATE, CHAMPION, NOW, Part, a_policy, by_route, seen
from tests.fakes import FakeApiServer, FakeCluster

ALONE = SendTraffic(CHAMPION, "")
MODES = {"replicas": {}, "gateway": by_route()}
STATUS = {"type": "Stalled", "status": "True", "reason": "FieldConflict", "lastTransitionTime": NOW}


class Contested:
    """One Service or route, its policy, and somebody else who wants it otherwise."""

    def __init__(self, mode: dict[str, Part]) -> None:
        self._mode = mode
        self._by_route = bool(mode)
        self.ref = Ref(Kind.HTTP_ROUTE if mode else Kind.SERVICE, "members", "churn-risk")
        self._ours, self._theirs = FakeCluster(server := FakeApiServer()), FakeCluster(server, field_manager="somebody")
        self._hands = Hands(self._ours, WatchedWorld(), Defaults("trainer:1", 30, "pod-0"))
        self.now = NOW

    async def observed(self, **status: Part) -> Observation:
        policy = a_policy(status=status, **self._mode)
        body = await self._ours.get(self.ref)
        if body is None:
            return seen(policy, service=None, now=self.now)
        parts: dict[str, Part] = {"service": None, "route": route_seen(body)} if self._by_route else {"service": service_seen(body)}
        return replace(seen(policy, now=self.now, **parts))

    async def we_write(self, asked: SendTraffic = ALONE, **status: Part) -> None:
        await self._hands.apply((asked,), await self.observed(**status))

    async def they_write(self) -> None:
        spec = {"rules": [{"backendRefs": [{"name": "x"}]}]} if self._by_route else {"selector": {"retrainer.dev/version": "x"}}
        await self._theirs.patch(self.ref, {"spec": spec})

    async def is_ours(self) -> bool:
        body = await self._ours.get(self.ref)
        return body is not None and "'x'" not in str(body["spec"])


@pytest.fixture(params=MODES.values(), ids=MODES)
async def contested(request: pytest.FixtureRequest) -> Contested:
    contest = Contested(request.param)
    await contest.we_write()
    return contest


async def test_a_change_by_somebody_else_is_undone_once(contested: Contested) -> None:
    await contested.they_write()
    await contested.we_write()
    assert await contested.is_ours()


async def test_a_second_change_within_ten_minutes_is_left_alone(contested: Contested) -> None:
    await contested.they_write()
    await contested.we_write()
    contested.now += timedelta(minutes=9)
    await contested.they_write()
    with pytest.raises(FieldConflict):
        await contested.we_write()
    assert not await contested.is_ours()


async def test_a_change_after_ten_minutes_is_another_matter(contested: Contested) -> None:
    await contested.they_write()
    await contested.we_write()
    contested.now += timedelta(minutes=11)
    await contested.they_write()
    await contested.we_write()
    assert await contested.is_ours()


async def test_our_own_writes_between_two_changes_do_not_forget_the_first(contested: Contested) -> None:
    await contested.they_write()
    await contested.we_write()
    await contested.we_write(SendTraffic(CHAMPION, "", CANDIDATE, 10))
    await contested.they_write()
    with pytest.raises(FieldConflict):
        await contested.we_write()


async def test_once_left_alone_it_stays_so_however_long_it_takes(contested: Contested) -> None:
    await contested.they_write()
    contested.now += timedelta(hours=2)
    with pytest.raises(FieldConflict):
        await contested.we_write(conditions=[STATUS])
    assert not await contested.is_ours()

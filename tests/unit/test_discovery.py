"""What is watched where the Gateway API is there, where it is not, and while nobody can say."""

import asyncio

import pytest
from typing_extensions import override

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.discovery import kinds_to_watch, until_routes_are_missed
from retrainer.errors import NotFound, Refused, RetrainerError, Unavailable
from tests.builders import a_policy, by_route
from tests.fakes import FakeCluster

KEY = ("members", "churn-risk")


class Knowing(FakeCluster):
    """An API server that answers a list of HTTPRoutes with what is told, one after the other; the last answer stays."""

    def __init__(self, *answers: RetrainerError | None) -> None:
        super().__init__()
        self._answers = list(answers)

    @override
    async def list(self, kind_of: Ref, labels: str = "") -> list[Manifest]:
        assert kind_of.kind is Kind.HTTP_ROUTE
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if answer is not None:
            raise answer
        return []


async def test_routes_are_watched_where_the_api_server_knows_them() -> None:
    assert set(await kinds_to_watch(Knowing(None), "")) == set(waking.INDICES)


@pytest.mark.parametrize("refusal", [NotFound("the server could not find the requested resource"), Refused("httproutes is forbidden")])
async def test_everything_else_is_watched_where_it_does_not_or_will_not_say(refusal: RetrainerError) -> None:
    assert set(await kinds_to_watch(Knowing(refusal), "")) == set(waking.INDICES) - {"routes"}


async def test_an_api_server_that_is_away_is_asked_again() -> None:
    assert "routes" in await kinds_to_watch(Knowing(Unavailable("away"), Unavailable("away"), None), "members", again_s=0)


def world(by: dict[str, object], *, watched: bool = False) -> WatchedWorld:
    made = WatchedWorld()
    made.attach({"policies": {("name", *KEY): [a_policy(**by)]}} | ({"routes": {}} if watched else {}))
    return made


async def test_a_route_that_is_asked_for_and_can_be_watched_by_now_ends_the_wait() -> None:
    cluster = Knowing(NotFound("no"), Unavailable("away"), None)
    async with asyncio.timeout(5):
        await until_routes_are_missed(cluster, "", world(by_route()), look_s=0)


@pytest.mark.parametrize(("by", "watched"), [({}, False), (by_route(), True)])
async def test_nobody_asks_the_api_server_where_no_route_is_missed(by: dict[str, object], *, watched: bool) -> None:
    waiting = asyncio.create_task(until_routes_are_missed(Knowing(None), "", world(by, watched=watched), look_s=0))
    for _ in range(100):
        await asyncio.sleep(0)
    assert not waiting.done()
    waiting.cancel()

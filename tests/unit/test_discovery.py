"""What is watched where the Gateway API is there, where it is not, and while nobody can say."""

import asyncio

import pytest
from typing_extensions import override

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.discovery import forget_what_is_gone, kinds_to_watch, until_all_have_come, until_routes_are_missed
from retrainer.errors import NotFound, Refused, RetrainerError, Unavailable
from retrainer.index import Index
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


class Filling(FakeCluster):
    """An API server that says one after the other what is there; the last answer stays."""

    def __init__(self, *answers: set[str] | RetrainerError) -> None:
        super().__init__()
        self._answers = list(answers)
        self.asked: list[Ref] = []

    @override
    async def uids(self, kind_of: Ref, labels: str = "") -> set[str]:
        assert (labels == waking.OURS) is (kind_of.kind is Kind.POD)
        self.asked.append(kind_of)
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        if isinstance(answer, RetrainerError):
            raise answer
        return answer


async def test_all_has_come_once_nothing_is_missing_of_what_there_is() -> None:
    come: set[str] = {"a"}
    cluster = Filling(Unavailable("away"), {"a", "b", "c"}, {"a", "b"})
    waiting = asyncio.create_task(until_all_have_come(cluster, [Kind.POD], (), come.__contains__, again_s=0))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    come.add("b")  # and c is deleted before it came
    await asyncio.wait_for(waiting, 5)
    assert set(cluster.asked) == {Ref(Kind.POD, "", "")}


async def test_each_kind_is_asked_for_in_each_watched_namespace() -> None:
    cluster = Filling(set())
    await until_all_have_come(cluster, [Kind.POD, Kind.POLICY], ("a", "b"), lambda _: False)
    assert cluster.asked == [Ref(kind, namespace, "") for kind in (Kind.POD, Kind.POLICY) for namespace in ("a", "b")]


def an_index(name: str, *uids: str) -> Index:
    """Return an index of a kind that has these objects."""
    index = Index(lambda body: {name: body})
    for uid in uids:
        index.take({"metadata": {"uid": uid}})
    return index


async def test_what_went_while_nobody_watched_is_forgotten() -> None:
    pods, policies = an_index("pods", "a", "b", "c"), an_index("policies", "c")
    cluster = Filling({"a", "new"}, {"c"})
    await forget_what_is_gone(cluster, {"pods": pods, "policies": policies}, ())
    assert (pods.uids(), policies.uids()) == ({"a"}, {"c"})
    assert [body["metadata"]["uid"] for body in pods["pods"]] == ["a"]


async def test_what_comes_while_the_api_server_is_asked_is_not_missed() -> None:
    pods = an_index("pods", "a")

    class Slow(Filling):
        @override
        async def uids(self, kind_of: Ref, labels: str = "") -> set[str]:
            pods.take({"metadata": {"uid": "new"}})
            return await super().uids(kind_of, labels)

    await forget_what_is_gone(Slow({"a"}), {"pods": pods}, ())
    assert pods.uids() == {"a", "new"}


async def test_nothing_is_forgotten_on_half_an_answer() -> None:
    pods = an_index("pods", "a", "b")
    await forget_what_is_gone(Filling({"a"}, Unavailable("away")), {"pods": pods}, ("one", "another"))
    assert pods.uids() == {"a", "b"}
    await forget_what_is_gone(Filling({"a"}, {"b"}), {"pods": pods}, ("one", "another"))
    assert pods.uids() == {"a", "b"}, "each namespace has its own"

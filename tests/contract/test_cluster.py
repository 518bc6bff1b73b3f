"""What the Cluster port promises, held by the fake and by the real adapter on a real API server alike."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from retrainer.adapters.api_server import ApiServer, Request
from retrainer.adapters.kubernetes import KubernetesCluster
from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.errors import Conflict, FieldConflict, NotFound
from retrainer.ports import Cluster
from tests.fakes import FakeApiServer, FakeCluster


@dataclass(frozen=True)
class World:
    """A namespace, and two who write in it under different names."""

    cluster: Cluster
    neighbour: Cluster
    namespace: str

    def ref(self, kind: Kind, name: str) -> Ref:
        return Ref(kind, self.namespace, name)

    def service(self, name: str = "churn", **spec: object) -> Manifest:
        return self._manifest(Kind.SERVICE, name, {"ports": [{"port": 80, "targetPort": 8080, "protocol": "TCP"}], **spec})

    def run(self, name: str = "churn-1", **metadata: object) -> Manifest:
        spec = {"policyRef": {"name": "churn"}, "trigger": "drift", "reason": "AboveThreshold"}
        return self._manifest(Kind.RUN, name, spec, **metadata)

    def account(self, name: str, **metadata: object) -> Manifest:
        manifest = self._manifest(Kind.SERVICE_ACCOUNT, name, {}, **metadata)
        del manifest["spec"]
        return manifest

    def _manifest(self, kind: Kind, name: str, spec: Manifest, **metadata: object) -> Manifest:
        return {
            "apiVersion": kind.api_version,
            "kind": kind.kind,
            "metadata": {"name": name, "namespace": self.namespace, **metadata},
            "spec": spec,
        }


@pytest.fixture(params=["fake", "real"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if request.param == "fake":
        server = FakeApiServer()
        yield World(FakeCluster(server), FakeCluster(server, field_manager="neighbour"), "shop")
        return
    api = await ApiServer.load(request.getfixturevalue("control_plane").kubeconfig)
    namespace = f"contract-{uuid.uuid4().hex[:8]}"
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}
    await api.send(Request("create", "Namespace", namespace, "POST", "/api/v1/namespaces", body=body))
    yield World(KubernetesCluster(api), KubernetesCluster(api, field_manager="neighbour"), namespace)
    await api.send(Request("delete", "Namespace", namespace, "DELETE", f"/api/v1/namespaces/{namespace}"))
    await api.close()


async def eventually(fact: Callable[[], Awaitable[bool]]) -> None:
    """Return once the fact holds: the real garbage collector takes its time."""
    async with asyncio.timeout(60):
        while not await fact():  # noqa: ASYNC110 - nothing in this process sets an event
            await asyncio.sleep(0.02)


def version(manifest: Manifest) -> str:
    return str(manifest["metadata"]["resourceVersion"])


async def test_an_object_that_is_not_there_is_none(world: World) -> None:
    assert await world.cluster.get(world.ref(Kind.SERVICE, "churn")) is None


async def test_what_was_created_is_there_with_its_name_and_a_uid(world: World) -> None:
    created = await world.cluster.create(world.service())
    found = await world.cluster.get(world.ref(Kind.SERVICE, "churn"))
    assert found == created
    assert Ref.of(found) == world.ref(Kind.SERVICE, "churn")
    assert found["metadata"]["uid"]


async def test_creating_it_twice_is_a_conflict_and_changes_nothing(world: World) -> None:
    created = await world.cluster.create(world.service())
    with pytest.raises(Conflict):
        await world.cluster.create(world.service(selector={"app": "other"}))
    assert await world.cluster.get(world.ref(Kind.SERVICE, "churn")) == created


async def test_applying_makes_an_object_and_applying_again_changes_nothing(world: World) -> None:
    first = await world.cluster.apply(world.service(selector={"app": "churn"}))
    second = await world.cluster.apply(world.service(selector={"app": "churn"}))
    assert first["spec"]["selector"] == {"app": "churn"}
    assert version(second) == version(first)


async def test_an_applied_field_that_is_no_longer_applied_goes(world: World) -> None:
    await world.cluster.apply(world.service(selector={"app": "churn", "tier": "model"}))
    after = await world.cluster.apply(world.service(selector={"app": "churn"}))
    assert after["spec"]["selector"] == {"app": "churn"}


async def test_a_field_of_somebody_else_stays_when_it_is_not_applied(world: World) -> None:
    await world.neighbour.apply(world.service(sessionAffinity="ClientIP"))
    await world.cluster.apply(world.service(selector={"app": "churn"}))
    after = await world.cluster.apply(world.service())
    assert after["spec"]["sessionAffinity"] == "ClientIP"
    assert "selector" not in after["spec"]


async def test_a_field_that_two_applied_alike_stays_when_one_lets_go(world: World) -> None:
    await world.neighbour.apply(world.service(selector={"app": "churn"}))
    await world.cluster.apply(world.service(selector={"app": "churn"}))
    after = await world.cluster.apply(world.service())
    assert after["spec"]["selector"] == {"app": "churn"}


async def test_changing_a_field_of_somebody_else_is_a_conflict_that_names_it(world: World) -> None:
    await world.neighbour.apply(world.service(selector={"app": "theirs"}))
    with pytest.raises(FieldConflict, match=r"neighbour(?s:.*)\.spec\.selector"):
        await world.cluster.apply(world.service(selector={"app": "ours"}))
    found = await world.cluster.get(world.ref(Kind.SERVICE, "churn"))
    assert found
    assert found["spec"]["selector"] == {"app": "theirs"}


async def test_force_takes_the_field_over(world: World) -> None:
    await world.neighbour.apply(world.service(selector={"app": "theirs"}))
    after = await world.cluster.apply(world.service(selector={"app": "ours"}), force=True)
    assert after["spec"]["selector"] == {"app": "ours"}
    with pytest.raises(FieldConflict):
        await world.neighbour.apply(world.service(selector={"app": "theirs"}))


async def test_what_one_patched_oneself_is_no_conflict_to_ones_own_apply(world: World) -> None:
    await world.cluster.apply(world.service())
    await world.cluster.patch(world.ref(Kind.SERVICE, "churn"), {"spec": {"selector": {"app": "patched"}}})
    after = await world.cluster.apply(world.service(selector={"app": "applied"}))
    assert after["spec"]["selector"] == {"app": "applied"}


async def test_what_somebody_else_patched_is_a_conflict(world: World) -> None:
    await world.cluster.apply(world.service(selector={"app": "ours"}, sessionAffinity="None"))
    ref = world.ref(Kind.SERVICE, "churn")
    await world.neighbour.patch(ref, {"spec": {"selector": {"app": "theirs"}}})
    await world.cluster.patch(ref, {"spec": {"sessionAffinity": "ClientIP"}})
    with pytest.raises(FieldConflict):
        await world.cluster.apply(world.service(selector={"app": "ours"}, sessionAffinity="None"))


async def test_applying_over_a_version_that_is_no_longer_current_is_a_conflict(world: World) -> None:
    old = await world.cluster.apply(world.service(selector={"app": "one"}))
    await world.cluster.apply(world.service(selector={"app": "two"}))
    manifest = world.service(selector={"app": "three"})
    manifest["metadata"]["resourceVersion"] = version(old)
    with pytest.raises(Conflict):
        await world.cluster.apply(manifest, force=True)
    with pytest.raises(Conflict) as raised:
        await world.cluster.apply(manifest)
    assert not isinstance(raised.value, FieldConflict)


async def test_applying_over_the_current_version_succeeds(world: World) -> None:
    current = await world.cluster.apply(world.service(selector={"app": "one"}))
    manifest = world.service(selector={"app": "two"})
    manifest["metadata"]["resourceVersion"] = version(current)
    assert (await world.cluster.apply(manifest))["spec"]["selector"] == {"app": "two"}


async def test_a_version_alone_does_not_keep_apply_from_making_anew_what_is_gone(world: World) -> None:
    gone = await world.cluster.apply(world.service())
    ref = world.ref(Kind.SERVICE, "churn")
    await world.cluster.delete(ref)
    manifest = world.service()
    manifest["metadata"]["resourceVersion"] = version(gone)
    again = await world.cluster.apply(manifest)
    assert again["metadata"]["uid"] != gone["metadata"]["uid"]


async def test_applying_to_a_uid_that_is_gone_is_a_conflict(world: World) -> None:
    gone = await world.cluster.apply(world.service())
    ref = world.ref(Kind.SERVICE, "churn")
    await world.cluster.delete(ref)
    manifest = world.service()
    manifest["metadata"]["uid"] = gone["metadata"]["uid"]
    with pytest.raises(Conflict):
        await world.cluster.apply(manifest)
    assert await world.cluster.get(ref) is None


async def test_applying_to_another_uid_than_the_objects_is_a_conflict(world: World) -> None:
    await world.cluster.apply(world.service())
    manifest = world.service(selector={"app": "churn"})
    manifest["metadata"]["uid"] = "00000000-0000-0000-0000-000000000000"
    with pytest.raises(Conflict):
        await world.cluster.apply(manifest, force=True)


async def test_a_merge_patch_sets_and_removes(world: World) -> None:
    await world.cluster.create(world.account("trainer", labels={"a": "1", "b": "2"}))
    after = await world.cluster.patch(world.ref(Kind.SERVICE_ACCOUNT, "trainer"), {"metadata": {"labels": {"a": None, "c": "3"}}})
    assert after["metadata"]["labels"] == {"b": "2", "c": "3"}


async def test_a_patch_over_a_version_that_is_no_longer_current_is_a_conflict(world: World) -> None:
    old = await world.cluster.create(world.account("trainer"))
    ref = world.ref(Kind.SERVICE_ACCOUNT, "trainer")
    await world.cluster.patch(ref, {"metadata": {"labels": {"a": "1"}}})
    with pytest.raises(Conflict):
        await world.cluster.patch(ref, {"metadata": {"resourceVersion": version(old), "labels": {"a": "2"}}})


async def test_patching_what_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.cluster.patch(world.ref(Kind.SERVICE_ACCOUNT, "trainer"), {"metadata": {"labels": {"a": "1"}}})


async def test_status_is_written_apart_and_as_a_whole(world: World) -> None:
    run = world.run()
    created = await world.cluster.create({**run, "status": {"phase": "Succeeded"}})
    assert "status" not in created
    ref = world.ref(Kind.RUN, "churn-1")
    await world.cluster.write_status(ref, {"phase": "Pending", "message": "waits"})
    after = await world.cluster.write_status(ref, {"phase": "Training"})
    assert after["status"]["phase"] == "Training"
    assert after["status"].get("message", "") == ""  # a schema may give a default


async def test_neither_apply_nor_patch_touches_the_status(world: World) -> None:
    await world.cluster.create(world.run())
    ref = world.ref(Kind.RUN, "churn-1")
    before = await world.cluster.write_status(ref, {"phase": "Training"})
    await world.cluster.patch(ref, {"status": {"phase": "Succeeded"}, "metadata": {"labels": {"a": "1"}}})
    await world.neighbour.apply({**world.run(labels={"b": "2"}), "status": {"phase": "Succeeded"}})
    found = await world.cluster.get(ref)
    assert found
    assert found["status"] == before["status"]
    assert found["metadata"]["labels"] == {"a": "1", "b": "2"}


async def test_the_status_of_what_is_not_there_is_not_found(world: World) -> None:
    with pytest.raises(NotFound):
        await world.cluster.write_status(world.ref(Kind.RUN, "churn-1"), {"phase": "Training"})


async def test_the_generation_counts_changes_of_the_spec_alone(world: World) -> None:
    await world.cluster.create(world.run())
    ref = world.ref(Kind.RUN, "churn-1")
    labelled = await world.cluster.patch(ref, {"metadata": {"labels": {"a": "1"}}})
    told = await world.cluster.write_status(ref, {"phase": "Pending"})
    assert [one["metadata"]["generation"] for one in (labelled, told)] == [1, 1]
    assert version(labelled) != version(told)
    deployment = await world.cluster.create(_deployment(world, replicas=1))
    scaled = await world.cluster.apply(_deployment(world, replicas=2), force=True)
    assert (deployment["metadata"]["generation"], scaled["metadata"]["generation"]) == (1, 2)


async def test_deleting_takes_the_object_away_and_may_be_repeated(world: World) -> None:
    await world.cluster.create(world.service())
    ref = world.ref(Kind.SERVICE, "churn")
    await world.cluster.delete(ref)
    assert await world.cluster.get(ref) is None
    await world.cluster.delete(ref)


async def test_deleting_with_anothers_uid_leaves_the_object(world: World) -> None:
    created = await world.cluster.create(world.service())
    ref = world.ref(Kind.SERVICE, "churn")
    await world.cluster.delete(ref, uid="00000000-0000-0000-0000-000000000000")
    assert await world.cluster.get(ref) == created
    await world.cluster.delete(ref, uid=created["metadata"]["uid"])
    assert await world.cluster.get(ref) is None


async def test_what_an_object_owns_goes_with_it(world: World) -> None:
    owner = await world.cluster.create(world.run())
    reference = {"apiVersion": Kind.RUN.api_version, "kind": Kind.RUN.kind, "name": "churn-1", "uid": owner["metadata"]["uid"]}
    await world.cluster.create(world.account("owned", ownerReferences=[reference]))
    await world.cluster.create(world.account("free"))
    await world.cluster.delete(world.ref(Kind.RUN, "churn-1"))

    async def is_gone() -> bool:
        return await world.cluster.get(world.ref(Kind.SERVICE_ACCOUNT, "owned")) is None

    await eventually(is_gone)
    assert await world.cluster.get(world.ref(Kind.SERVICE_ACCOUNT, "free"))


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        ("", {"a", "b", "c"}),
        ("team=x", {"a", "b"}),
        ("team=x,tier=1", {"a"}),
        ("team!=x", {"c"}),
        ("tier", {"a"}),
        ("!tier", {"b", "c"}),
        ("team in (x,y),tier notin (1)", {"b", "c"}),
    ],
)
async def test_a_list_is_chosen_by_labels(world: World, labels: str, names: set[str]) -> None:
    for name, its in {"a": {"team": "x", "tier": "1"}, "b": {"team": "x"}, "c": {"team": "y"}}.items():
        await world.cluster.create(world.service(name) | {"metadata": {"name": name, "namespace": world.namespace, "labels": its}})
    found = await world.cluster.list(world.ref(Kind.SERVICE, ""), labels)
    assert {Ref.of(one) for one in found} == {world.ref(Kind.SERVICE, name) for name in names}


async def test_a_list_without_a_namespace_is_of_all(world: World) -> None:
    created = await world.cluster.create(world.service())
    assert created in await world.cluster.list(Ref(Kind.SERVICE, "", ""))
    assert await world.cluster.list(Ref(Kind.SERVICE, "nowhere", "")) == []


async def test_what_is_handed_out_is_the_callers_to_change(world: World) -> None:
    ref = world.ref(Kind.SERVICE, "churn")
    created = await world.cluster.create(world.service())
    created["spec"].clear()
    found = await world.cluster.get(ref)
    assert found
    assert found["spec"]["ports"]


def _deployment(world: World, replicas: int) -> Manifest:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "churn-api", "namespace": world.namespace},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "churn"}},
            "template": {
                "metadata": {"labels": {"app": "churn"}},
                "spec": {"containers": [{"name": "server", "image": "server:1"}]},
            },
        },
    }

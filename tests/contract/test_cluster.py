"""What the Cluster port promises, held by the fake and by the real adapter on a real API server alike."""

import pytest

from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.errors import Conflict, NotFound
from tests.contract.cluster_world import World, eventually, version


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
    assert await world.cluster.uids(world.ref(Kind.SERVICE, ""), labels) == {one["metadata"]["uid"] for one in found}


async def test_a_list_without_a_namespace_is_of_all(world: World) -> None:
    created = await world.cluster.create(world.service())
    assert created in await world.cluster.list(Ref(Kind.SERVICE, "", ""))
    assert await world.cluster.list(Ref(Kind.SERVICE, "nowhere", "")) == []
    assert await world.cluster.uids(Ref(Kind.SERVICE, "nowhere", "")) == set()


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

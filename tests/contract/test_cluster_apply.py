"""Server-side apply as the Cluster port promises it, held by the fake and by the real adapter on a real API server alike."""

import pytest

from retrainer.core.kinds import Kind
from retrainer.errors import Conflict, FieldConflict
from tests.contract.cluster_world import World, version


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

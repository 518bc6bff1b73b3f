"""One monitor for many policies: a few of them own it, and whoever is left takes over."""

from retrainer.core.kinds import Kind, Manifest, Ref
from retrainer.manifests.monitor import OWNERS
from tests.fleet import Fleet

NAMES = tuple(f"model-{number:02}" for number in range(OWNERS + 4))


async def the_monitor(fleet: Fleet) -> Manifest:
    found = await fleet.cluster.list(Ref(Kind.DEPLOYMENT, "members", ""), "retrainer.dev/monitors")
    assert len(found) == 1
    return found[0]


def owners(monitor: Manifest) -> set[str]:
    return {owner["name"] for owner in monitor["metadata"]["ownerReferences"]}


async def test_a_few_of_many_policies_own_their_monitor_and_nobody_writes_it_again() -> None:
    fleet = Fleet(0, NAMES)
    await fleet.starts()
    await fleet.rounds(times=OWNERS + 1)
    monitor = await the_monitor(fleet)
    assert len(owners(monitor)) == OWNERS
    await fleet.rounds()
    assert (await the_monitor(fleet))["metadata"]["resourceVersion"] == monitor["metadata"]["resourceVersion"]


async def test_a_policy_takes_the_place_of_an_owner_that_is_gone() -> None:
    fleet = Fleet(0, NAMES)
    await fleet.starts()
    await fleet.rounds(times=OWNERS + 1)
    gone = min(owners(await the_monitor(fleet)))
    await fleet.cluster.delete(Ref(Kind.POLICY, "members", gone))
    await fleet.rounds(times=2)
    assert len(owners(await the_monitor(fleet)) - {gone}) == OWNERS


async def test_a_monitor_that_went_with_all_its_owners_is_made_again_by_whoever_is_left() -> None:
    fleet = Fleet(0, NAMES)
    await fleet.starts()
    await fleet.rounds(times=OWNERS + 1)
    gone = owners(await the_monitor(fleet))
    for name in gone:
        await fleet.cluster.delete(Ref(Kind.POLICY, "members", name))
    assert await fleet.cluster.list(Ref(Kind.DEPLOYMENT, "members", ""), "retrainer.dev/monitors") == []
    await fleet.rounds(times=OWNERS + 1)
    assert owners(await the_monitor(fleet)) == set(NAMES) - gone

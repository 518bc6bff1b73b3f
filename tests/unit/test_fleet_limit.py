"""The rounds of many policies at once on an API server in memory: between them they never take a place too many."""

import pytest

from tests.fleet import Fleet


def with_a_place(phases: dict[str, str]) -> list[str]:
    return [name for name, phase in phases.items() if phase in {"Validating", "Queued", "Training"}]


@pytest.mark.parametrize("limit", [1, 2, 5])
async def test_rounds_at_the_same_time_never_take_a_place_too_many(limit: int) -> None:
    fleet = Fleet(limit)
    await fleet.starts()
    await fleet.rounds()
    phases = await fleet.phases()
    assert with_a_place(phases) == [f"{name}-1" for name in fleet.names[:limit]]
    assert {await fleet.reason(f"{name}-1") for name in fleet.names[limit:]} == {"FleetLimit"}


async def test_a_place_whose_write_got_no_answer_is_not_given_away_before_it_is_known_what_became_of_it() -> None:
    fleet = Fleet(2)
    await fleet.starts()
    await fleet.watch()
    fleet.cluster.loses_answers = True
    for _ in range(3):
        await fleet.round()
    await fleet.round(*fleet.names[2:])
    assert with_a_place(await fleet.phases()) == ["model-0-1", "model-1-1"]
    fleet.cluster.loses_answers = False
    await fleet.rounds()
    assert with_a_place(await fleet.phases()) == ["model-0-1", "model-1-1"]


async def test_a_place_that_is_left_is_the_oldests_who_waits() -> None:
    fleet = Fleet(2)
    await fleet.starts()
    await fleet.rounds()
    await fleet.ends("model-0-1")
    await fleet.rounds()
    assert with_a_place(await fleet.phases()) == ["model-1-1", "model-2-1"]
    await fleet.ends("model-1-1")
    await fleet.ends("model-2-1")
    await fleet.rounds()
    assert with_a_place(await fleet.phases()) == ["model-3-1", "model-4-1"]


async def test_without_a_limit_all_train_at_once() -> None:
    fleet = Fleet(0)
    await fleet.starts()
    await fleet.rounds()
    assert len(with_a_place(await fleet.phases())) == len(fleet.names)

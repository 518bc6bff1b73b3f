"""A crash of the operator at any write of any story changes nothing in how the story ends, and breaks no invariant on the way.

`make crash` plays it.
"""

import asyncio
import os
import time
from collections.abc import Mapping, Sequence

import pytest

from tests.crash.company import House, Played, Scene, compared
from tests.crash.matrix import companies, scenes

pytestmark = pytest.mark.asyncio(loop_scope="session")

AT_ONCE = 2
REPEATS = int(os.environ.get("REPEATS", "1"))


async def test_a_crash_at_any_write_changes_nothing_in_how_a_story_ends(
    house: House, traced: Mapping[str, Played], tmp_path_factory: pytest.TempPathFactory
) -> None:
    wanted = scenes({story: played.writes for story, played in traced.items()}, thorough=REPEATS > 1)
    endings = {story: played.ending for story, played in traced.items()}
    at_once = asyncio.Semaphore(AT_ONCE)
    began = time.monotonic()

    async def played(company: Sequence[Scene]) -> list[Played]:
        async with at_once:
            return await house.play(company, tmp_path_factory.mktemp("company"), endings)

    done = await asyncio.gather(*(played(company) for _ in range(REPEATS) for company in companies(wanted)))
    endings = [one for company in done for one in company]
    deaths = sum(len(one.scene.points) for one in endings)
    print(f"{deaths} deaths in {len(endings)} scenes, {(time.monotonic() - began) / len(endings):.1f} s a scene")
    assert [wrong for one in endings for wrong in compared(one, endings[one.scene.story])] == []

"""One pass through the matrix: the operator is killed at every point that was chosen."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.crash.company import House, Played, Scene, compared
from tests.crash.gate import Point
from tests.crash.matrix import alone, scenes
from tests.crash.picture import Picture


async def killed_at(
    house: House, traced: Mapping[str, Played], chosen: Sequence[tuple[str, Point]], deaths: int, home: Callable[[], Path]
) -> list[str]:
    """Play every chosen point, at most so many `deaths` a scene, and return what was wrong; a point never reached is wrong, too.

    A death may keep a later one of its scene from coming about: that one is played again, alone.
    """
    began, endings = time.monotonic(), {story: played.ending for story, played in traced.items()}

    async def play(wanted: Sequence[Scene]) -> list[Played]:
        done: list[Played] = []
        for at in range(0, len(wanted), house.scenes):
            company, since = wanted[at : at + house.scenes], time.monotonic()
            played = await house.play(company, home(), endings)
            _tell(played, endings, time.monotonic() - since)
            done += played
        return done

    done = await play(scenes({story: played.writes for story, played in traced.items()}, chosen, deaths))
    done += await play(alone((one.scene.story, point) for one in done for point in one.missed))
    reached = {(one.scene.story, point) for one in done for point in one.deaths}
    print(f"{len(reached)} deaths in {len(done)} scenes, {(time.monotonic() - began) / len(done):.1f} s a scene", flush=True)
    wrong = [line for one in done for line in compared(one, endings[one.scene.story])]
    return wrong + [f"{story}: never killed {point}" for story, point in chosen if (story, point) not in reached]


def _tell(done: Sequence[Played], endings: Mapping[str, Picture], took: float) -> None:
    """Print what came of a company's scenes."""
    deaths = sum(len(one.deaths) for one in done)
    print(f"{deaths} deaths in {len(done)} scenes, {took:.0f} s", flush=True)
    for one in done:
        print(*compared(one, endings[one.scene.story]), sep="\n    wrong: ", end="", flush=True)

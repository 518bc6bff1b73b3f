"""The matrix: every write of every story, killed before and after; found by playing each story undisturbed first."""

import itertools
from collections.abc import Iterator, Mapping, Sequence

from tests.crash.company import SCENES, Scene
from tests.crash.gate import Point, Side
from tests.crash.stories import FROM_A_FIRST_VERSION, STORIES
from tests.crash.writes import Write


def undisturbed() -> list[Scene]:
    """Return every story as nobody kills it."""
    return [Scene(story) for story in STORIES]


def scenes(traced: Mapping[str, Sequence[Write]], *, thorough: bool) -> list[Scene]:
    """Return scenes that together kill the operator on both sides of every write traced, each write in the first story that makes it.

    Unless `thorough`, after no Event: nothing reads one, so to die after it is to die before the next, or after the status it tells of.
    A scene has two deaths where that is possible: one up to the first version, which most stories have in common, and one after it.
    """
    known: set[Write] = set()
    early: list[tuple[str, Point]] = []
    late: list[tuple[str, Point]] = []
    for story, writes in traced.items():
        for write in writes:
            if write in known and not (write.moves_traffic and write.after_first_version):
                continue
            known.add(write)
            sides = tuple(Side) if thorough or write.resource != "events" else (Side.BEFORE,)
            (late if write.after_first_version else early).extend((story, Point(write, side)) for side in sides)
    shared = [point for story, point in early if story in FROM_A_FIRST_VERSION]
    alone = [Scene(story, (point,)) for story, point in early if story not in FROM_A_FIRST_VERSION]
    return [*(_scene(first, second) for first, second in itertools.zip_longest(shared, late)), *alone]


def _scene(first: Point | None, second: tuple[str, Point] | None) -> Scene:
    story, point = second or (next(iter(STORIES)), None)
    return Scene(story, tuple(one for one in (first, point) if one is not None))


def companies(all_scenes: Sequence[Scene]) -> Iterator[Sequence[Scene]]:
    """Return scenes in the companies that play them."""
    yield from (all_scenes[at : at + SCENES] for at in range(0, len(all_scenes), SCENES))

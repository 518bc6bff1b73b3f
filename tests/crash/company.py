"""One operator and the scenes it is killed in: each scene has a namespace of its own, and all are held before the operator dies.

A round for a policy stands still while a write of it is held, so what is killed is what would have been killed on its own; and as a work
queue has so many rounds at once and no more, so many scenes fit one operator.
"""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash.gate import Gate, Point
from tests.crash.nest import Nest, NestOperator
from tests.crash.picture import Picture, differences, is_settled, picture_of
from tests.crash.stories import STORIES
from tests.crash.writes import Write
from tests.integration.audit import Audit
from tests.integration.stage import Stage, Theatre
from tests.observer.invariants import Invariants
from tests.stand_ins.api import Api
from tests.stand_ins.live_figures import FakePrometheus

_SETTLES_WITHIN_S: Final = 60.0
_SILENCE_S: Final = 1.0
_ANSWERED_WITHIN_S: Final = 2.0

_Told = tuple[str, float]


@dataclass(frozen=True, slots=True)
class Scene:
    """A story, and the points the operator is to die at in it, each when it is reached."""

    story: str
    points: tuple[Point, ...] = ()


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a scene: the deaths that came about, its writes, its ending, and what was wrong.

    A death may keep a write from being made that would have followed: what must not be lost is made up for, an Event is not.
    """

    scene: Scene
    deaths: tuple[Point, ...]
    writes: tuple[Write, ...]
    ending: Picture
    wrong: tuple[str, ...]
    seconds: float

    @property
    def missed(self) -> tuple[Point, ...]:
        """The points that were not reached."""
        return tuple(point for point in self.scene.points if point not in self.deaths)

    def __str__(self) -> str:
        return f"{self.scene.story}, killed {', '.join(map(str, self.deaths)) or 'never'}"


@dataclass(frozen=True, slots=True)
class House:
    """What all companies share: an API server with its audit log, the operator's account, one Prometheus, a nest, and a scenery."""

    api: Api
    audit_log: Path
    kubeconfig: Path
    prometheus: FakePrometheus
    nest: Nest
    scenery: Callable[[Theatre, str], AbstractAsyncContextManager[Stage]]
    """Gives a stage of that name on which pods run, become endpoints and answer."""
    scenes: int = 16
    """What one operator plays at once: at most the rounds of its work queue."""

    async def play(self, scenes: Sequence[Scene], home: Path, endings: Mapping[str, Picture] | None = None) -> list[Played]:
        """Play scenes with one operator, each to the ending its story should have, where one is given, or until all is in order."""
        async with AsyncExitStack() as closing:
            gate = await Gate.before(self.kubeconfig)
            closing.push_async_callback(gate.close)
            operator = NestOperator(self.nest, gate.kubeconfig(self.kubeconfig, home / "kubeconfig"), self.prometheus.url, home)
            closing.push_async_callback(operator.close)
            theatre = Theatre(self.api, self.prometheus, operator, lambda: Audit(self.audit_log, self.api))
            stages = await asyncio.gather(*(closing.enter_async_context(self.scenery(theatre, scene.story)) for scene in scenes))
            return await _Company(stages, scenes, gate, endings or {}).play()


class _Company:
    def __init__(self, stages: Sequence[Stage], scenes: Sequence[Scene], gate: Gate, endings: Mapping[str, Picture]) -> None:
        self._stages = dict(zip(scenes, stages, strict=True))
        self._invariants = {scene: Invariants(stage.seen) for scene, stage in self._stages.items()}
        self._deaths: dict[Scene, list[Point]] = {scene: [] for scene in scenes}
        self._gate = gate
        self._endings = endings
        self._operator = stages[0].operator

    async def play(self) -> list[Played]:
        """Play the stories to their ends, with every death; then let the last operator look at everything once more."""
        async with asyncio.TaskGroup() as group:
            stories = {scene: group.create_task(self._story(scene)) for scene in self._stages}
            while points := self._to_come(stories):
                self._gate.hold({self._stages[scene].namespace: ahead for scene, ahead in points.items()})
                self._operator.launch()
                with self._alive(group):
                    await asyncio.gather(*(self._held_or_over(scene, stories[scene]) for scene in points))
                self._operator.kill()
                self._gate.let_go()
            self._operator.launch()
            with self._alive(group):
                await asyncio.gather(*stories.values())
        await self._operator.until_ready()
        await self._gate.falls_silent([stage.namespace for stage in self._stages.values()], _SILENCE_S)
        return list(await asyncio.gather(*(self._ended(scene, *story.result()) for scene, story in stories.items())))

    @contextmanager
    def _alive(self, group: asyncio.TaskGroup) -> Iterator[None]:
        """Have the group fail at once should the operator end by itself."""

        async def lives() -> None:
            while not self._operator.has_ended:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.2)
            raise AssertionError(f"the operator ended by itself:\n{self._operator.said()}")

        life = group.create_task(lives())
        yield
        life.cancel()

    def _to_come(self, stories: "Mapping[Scene, asyncio.Task[_Told]]") -> Mapping[Scene, frozenset[Point]]:
        """Return the points that scenes under way have still ahead of them."""
        ahead = {scene: frozenset(scene.points).difference(self._deaths[scene]) for scene, story in stories.items() if not story.done()}
        return {scene: points for scene, points in ahead.items() if points}

    async def _held_or_over(self, scene: Scene, story: "asyncio.Task[_Told]") -> None:
        held = asyncio.create_task(self._gate.holds(self._stages[scene].namespace))
        await asyncio.wait({held, story}, return_when=asyncio.FIRST_COMPLETED)
        if not held.done():
            await asyncio.wait({held}, timeout=_ANSWERED_WITHIN_S)  # a story's last write is seen before its answer has come
        if held.done():
            self._deaths[scene].append(held.result())
        else:
            held.cancel()

    async def _story(self, scene: Scene) -> "_Told":
        """Return what went wrong in a story, and how long it took."""
        stage, began, wrong = self._stages[scene], time.monotonic(), ""
        try:
            await STORIES[scene.story](stage)
            await stage.then(lambda: is_settled(stage), "everything is in order")
        except AssertionError as error:
            wrong = str(error)
        return wrong, time.monotonic() - began

    async def _ended(self, scene: Scene, wrong: str, seconds: float) -> Played:
        stage = self._stages[scene]
        ending = self._endings.get(scene.story)
        with suppress(AssertionError):  # what is otherwise is told by `compared`
            within = 0.1 if wrong else _SETTLES_WITHIN_S
            await stage.then(lambda: is_settled(stage) and (ending is None or picture_of(stage) == ending), "the ending", within)
        writes = tuple(dict.fromkeys(self._gate.written[stage.namespace]))
        broken = self._invariants[scene].finish()
        return Played(scene, tuple(self._deaths[scene]), writes, picture_of(stage), (*([wrong] if wrong else []), *broken), seconds)


def compared(played: Played, undisturbed: Picture) -> Sequence[str]:
    """Return what was wrong with a scene, the differences from an undisturbed ending included."""
    return [f"{played}: {one}" for one in (*played.wrong, *differences(undisturbed, played.ending))]

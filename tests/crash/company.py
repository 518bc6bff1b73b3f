"""One operator and the scenes it is killed in: each scene has a namespace of its own, and all are held before the operator dies.

A round for a policy stands still while a write of it is held, so what is killed is what would have been killed on its own; and as a work
queue has so many rounds at once and no more, so many scenes fit one operator.
"""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.crash.gate import Gate, Point
from tests.crash.invariants import Invariants
from tests.crash.picture import Picture, differences, is_settled, picture_of
from tests.crash.stories import STORIES
from tests.crash.writes import Write
from tests.integration.audit import Audit
from tests.integration.operator_process import OperatorProcess
from tests.integration.stage import Stage, Theatre
from tests.stand_ins.api import Api
from tests.stand_ins.live_figures import FakePrometheus

SCENES: Final = 16
"""What one operator plays at once: the rounds of its work queue."""
_SETTLES_WITHIN_S: Final = 120.0


@dataclass(frozen=True, slots=True)
class Scene:
    """A story, and the points the operator dies at in it, in order: at most one in the first version's part and one after it."""

    story: str
    points: tuple[Point, ...] = ()

    def __str__(self) -> str:
        return f"{self.story}, killed {' and '.join(map(str, self.points)) or 'never'}"


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a scene: its writes, its ending, and what was wrong."""

    scene: Scene
    writes: tuple[Write, ...]
    ending: Picture
    wrong: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class House:
    """What all companies share: an API server with its audit log, the operator's account, and one Prometheus."""

    api: Api
    audit_log: Path
    kubeconfig: Path
    prometheus: FakePrometheus

    async def play(self, scenes: Sequence[Scene], home: Path, endings: Mapping[str, Picture] | None = None) -> list[Played]:
        """Play scenes with one operator, each to the ending its story should have, where one is given, or until all is in order."""
        async with AsyncExitStack() as closing:
            gate = await Gate.before(self.kubeconfig)
            closing.push_async_callback(gate.close)
            operator = OperatorProcess(gate.kubeconfig(self.kubeconfig, home / "kubeconfig"), self.prometheus.url, home)
            closing.push_async_callback(operator.close)
            theatre = Theatre(self.api, self.prometheus, operator, lambda: Audit(self.audit_log, self.api))
            stages = [await closing.enter_async_context(theatre.stage(scene.story)) for scene in scenes]
            operator.watch_only([stage.namespace for stage in stages])
            return await _Company(stages, scenes, gate, endings or {}).play()


class _Company:
    def __init__(self, stages: Sequence[Stage], scenes: Sequence[Scene], gate: Gate, endings: Mapping[str, Picture]) -> None:
        self._stages = dict(zip(scenes, stages, strict=True))
        self._invariants = {scene: Invariants(stage.seen) for scene, stage in self._stages.items()}
        self._missed: set[Scene] = set()
        self._gate = gate
        self._endings = endings
        self._operator = stages[0].operator

    async def play(self) -> list[Played]:
        async with asyncio.TaskGroup() as group:
            stories = {scene: group.create_task(self._story(scene)) for scene in self._stages}
            for number in range(max(len(scene.points) for scene in self._stages)):
                points = {scene: scene.points[number] for scene in self._stages if len(scene.points) > number}
                self._gate.hold({self._stages[scene].namespace: point for scene, point in points.items()})
                self._operator.launch()
                await asyncio.gather(*(self._held_or_over(scene, stories[scene]) for scene in points))
                self._operator.kill()
                self._gate.let_go()
            self._operator.launch()
        return [story.result() for story in stories.values()]

    async def _held_or_over(self, scene: Scene, story: "asyncio.Task[Played]") -> None:
        held = asyncio.create_task(self._gate.holds(self._stages[scene].namespace))
        await asyncio.wait({held, story}, return_when=asyncio.FIRST_COMPLETED)
        if not held.done():
            held.cancel()
            self._missed.add(scene)

    async def _story(self, scene: Scene) -> Played:
        stage, wrong = self._stages[scene], list[str]()
        try:
            await STORIES[scene.story](stage)
            await stage.then(lambda: is_settled(stage), "everything is in order", _SETTLES_WITHIN_S)
        except AssertionError as error:
            wrong.append(str(error))
        if (ending := self._endings.get(scene.story)) is not None and not wrong:
            with suppress(AssertionError):  # what is otherwise is told by `compared`
                await stage.then(lambda: picture_of(stage) == ending, "the ending", _SETTLES_WITHIN_S)
        if scene in self._missed:
            wrong.append("a write did not come at which the operator was to die")
        writes = tuple(dict.fromkeys(self._gate.written[stage.namespace]))
        return Played(scene, writes, picture_of(stage), (*wrong, *self._invariants[scene].finish()))


def compared(played: Played, undisturbed: Picture) -> Sequence[str]:
    """Return what was wrong with a scene, the differences from an undisturbed ending included."""
    return [f"{played.scene}: {one}" for one in (*played.wrong, *differences(undisturbed, played.ending))]

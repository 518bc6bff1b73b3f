"""The matrix: every write of every story, killed before and after; found by playing each story undisturbed first."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, get_args

from retrainer.core import actions
from retrainer.core.actions import Effect, HandBack
from tests.crash.company import Scene
from tests.crash.gate import Point, Side
from tests.crash.stories import STORIES
from tests.crash.writes import Write

APART: Final = 6
"""Writes between two deaths: what a round writes, its Events included, and a status that the next may go past."""


def undisturbed() -> list[Scene]:
    """Return every story as nobody kills it."""
    return [Scene(story) for story in STORIES]


def points(traced: Mapping[str, Sequence[Write]]) -> list[tuple[str, Point]]:
    """Return both sides of every write traced, each write in the first story that makes it; one that moves traffic in all of them."""
    found: list[tuple[str, Point]] = []
    known: set[Write] = set()
    for story, writes in traced.items():
        for write in writes:
            if write not in known or (write.moves_traffic and write.after_first_version):
                found += [(story, Point(write, side)) for side in Side]
            known.add(write)
    return found


def scenes(traced: Mapping[str, Sequence[Write]], chosen: Sequence[tuple[str, Point]], deaths: int) -> list[Scene]:
    """Return scenes that together kill the operator at the chosen points, in none of them more often than `deaths`.

    Two deaths of a scene are some writes apart, or the first would keep the second from coming about.
    """
    found: list[Scene] = []
    for story, writes in traced.items():
        at = {write: index for index, write in enumerate(writes)}
        planned: list[list[Point]] = []
        for point in (point for of, point in chosen if of == story):
            fits = (one for one in planned if len(one) < deaths and at[point.write] - at[one[-1].write] >= APART)
            scene = next(fits, None)
            if scene is None:
                planned.append([point])
            else:
                scene.append(point)
        found += [Scene(story, tuple(one)) for one in planned]
    return sorted(found, key=lambda scene: len(scene.points), reverse=True)


def alone(missed: Iterable[tuple[str, Point]]) -> list[Scene]:
    """Return scenes that kill the operator once, at a point which another death kept from coming about."""
    return [Scene(story, (point,)) for story, point in missed]


def _is(verb: str, resource: str, *words: str) -> Callable[[Write], bool]:
    return lambda write: (write.verb, write.resource) == (verb, resource) and all(word in write.about for word in words)


WRITES_OF: Final[Mapping[type, tuple[Callable[[Write], bool], ...]]] = {
    actions.StartRun: (_is("create", "modelretrainruns"),),
    actions.DeleteRun: (_is("delete", "modelretrainruns"),),
    actions.LaunchJob: (_is("create", "jobs", "-validate-"), _is("create", "jobs", "-train-")),
    actions.DeleteJob: (_is("delete", "jobs"),),
    actions.ExpireJob: (_is("patch", "jobs"),),
    actions.EnsureMonitor: (
        _is("patch", "serviceaccounts"),
        _is("patch", "rolebindings"),
        _is("patch", "deployments", "retrainer-monitor"),
    ),
    actions.ClaimService: (_is("patch", "services", "claimed"),),
    actions.DeployVersion: (_is("patch", "deployments", "deployed"),),
    actions.ScaleVersion: (_is("patch", "deployments", "scaled"),),
    actions.RecycleVersion: (_is("patch", "deployments", "recycled"),),
    actions.RemoveVersion: (_is("delete", "deployments"),),
    actions.SendTraffic: (
        _is("patch", "services", "to all versions"),
        _is("patch", "services", "to v"),
        _is("patch", "httproutes", "to v"),
    ),
    actions.AddressVersion: (_is("patch", "services", "-v"),),
    actions.ReleaseService: (_is("patch", "services", "released"),),
    actions.RemoveRoute: (_is("delete", "httproutes"),),
    actions.EnsureChores: (_is("patch", "cronjobs", "prune"), _is("patch", "cronjobs", "report")),
    actions.RemoveChore: (_is("delete", "cronjobs"),),
    HandBack: (_is("patch", "services", "handed back"),),
}
"""Which writes each effect of the operator comes to; besides there are statuses and Events."""


def without_a_point(deaths: Sequence[Point], effects: Sequence[type] = (*get_args(Effect), HandBack)) -> list[str]:
    """Return the effects no write of which the operator is killed at, on both sides; also those that nobody has told the writes of."""
    missing = [effect.__name__ for effect in effects if effect not in WRITES_OF]
    for effect, kinds in WRITES_OF.items():
        for side in Side:
            held = [point.write for point in deaths if point.side is side]
            missing += [f"{side} {effect.__name__} ({number})" for number, kind in enumerate(kinds, 1) if not any(map(kind, held))]
    return missing

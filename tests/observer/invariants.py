"""The observer's checks, shown every change of one namespace: what no crash may break even for a moment."""

import time
from collections.abc import Sequence

from tests.observer.checks.endpoints import AlwaysAnEndpoint, WeightNeedsAnEndpoint
from tests.observer.checks.rollout import CandidateRises
from tests.observer.checks.route import ARouteAlwaysAnswers, RouteCandidateRises, RouteWeightNeedsAnEndpoint
from tests.observer.checks.training import OneTraining, TrainingsOnRecord
from tests.observer.reading import READERS
from tests.observer.store import Store
from tests.observer.world import Violation
from tests.stand_ins.api import Manifest
from tests.stand_ins.mirror import Mirror


class Invariants:
    """Looks at the namespace of a mirror from its construction on.

    Rises of a candidate's weight are checked as far as objects tell: whether a good analysis stands behind each is shown on a real node,
    where there is a Prometheus to ask.
    """

    def __init__(self, seen: Mirror) -> None:
        self._seen = seen
        self._store = Store()
        self._trainings = TrainingsOnRecord()
        self._checks = (
            AlwaysAnEndpoint(), WeightNeedsAnEndpoint(), CandidateRises(),
            ARouteAlwaysAnswers(), RouteWeightNeedsAnEndpoint(), RouteCandidateRises(),
            OneTraining(), self._trainings,
        )  # fmt: skip
        self._violations: list[Violation] = []
        seen.listen(self._changed)

    def finish(self) -> Sequence[str]:
        """Return everything that was wrong, one line each."""
        now = time.time()
        self._look(now)
        return [f"{one.invariant}: {one.subject}: {one.detail}" for one in (*self._violations, *self._trainings.finish(now))]

    def _changed(self, resource: str, manifest: Manifest) -> None:
        if resource not in READERS:
            return
        self._look(time.time())  # what was so until now counts up to now
        gone = self._seen.one(resource, manifest["metadata"]["name"]) is None
        self._store.change(resource, {"type": "DELETED" if gone else "MODIFIED", "object": manifest})
        self._look(time.time())

    def _look(self, now: float) -> None:
        world = self._store.world(now)
        for check in self._checks:
            self._violations += check.look(world)

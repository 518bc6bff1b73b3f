from datetime import timedelta
from typing import Any

import pytest

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.line import standing
from retrainer.core.observation import RunSeen
from retrainer.core.phases import Phase
from retrainer.core.places import Places
from retrainer.core.run import advance
from retrainer.index import Index
from retrainer.ports import Place
from tests.builders import NOW, a_job, a_policy, a_run, seen

KEY = ("members", "churn-risk")


def waiting(name: str, hours_ago: float, *, emergency: bool = False) -> RunSeen:
    spec: dict[str, Any] = {"emergency": {"reason": "a strike was called"}} if emergency else {}
    return a_run(name=name, created=NOW - timedelta(hours=hours_ago), by_operator=False, spec=spec)


def begins(run: RunSeen, taken: int, *line: RunSeen, limit: int = 2) -> str:
    places = Places(limit, taken, tuple(standing(one) for one in line))
    return advance(run, seen(a_policy(), run, places=places)).status.reason


def test_a_run_begins_where_a_place_is_left_and_says_what_it_waits_for_where_none_is() -> None:
    run = waiting("mine", 1)
    assert [begins(run, taken) for taken in (0, 1, 2, 3)] == ["Validating", "Validating", "FleetLimit", "FleetLimit"]
    assert begins(run, 100, limit=0) == "Validating"


def test_who_has_waited_longer_goes_first_whatever_the_policy_and_an_emergency_before_all() -> None:
    older, younger, urgent = waiting("older", 3), waiting("younger", 1), waiting("urgent", 0, emergency=True)
    run = waiting("mine", 2)
    assert begins(run, 1, older, run, younger) == "FleetLimit"
    assert begins(run, 1, run, younger) == "Validating"
    assert begins(run, 1, run, urgent) == "FleetLimit"
    assert begins(urgent, 1, older, run, urgent) == "Validating"


def test_a_dry_run_trains_nothing_and_needs_no_place() -> None:
    assert begins(a_run(by_operator=False, spec={"dry_run": True}), 9) == "Validating"


@pytest.mark.parametrize(("validations", "phase"), [(1, Phase.QUEUED), (2, Phase.VALIDATING)])
def test_a_run_whose_data_had_to_be_mended_has_left_its_place_and_waits_for_another(validations: int, phase: Phase) -> None:
    run = a_run(Phase.VALIDATING, validations=validations)
    job = a_job(f"churn-risk-57-validate-{validations}", complete=True)
    step = advance(run, seen(a_policy(), run, jobs=(job,), places=Places(1, 1)))
    assert step.status.phase is phase
    assert step.status.reason == ("FleetLimit" if validations == 2 else "DataPassed")


def wire(run: RunSeen, version: str = "1") -> dict[str, Any]:
    meta = {
        "namespace": "members", "name": run.name, "uid": run.identity.uid, "resourceVersion": version,
        "creationTimestamp": run.identity.created.isoformat(),
    }  # fmt: skip
    return {
        "apiVersion": "retrainer.dev/v1alpha1", "kind": "ModelRetrainRun", "metadata": meta,
        "spec": run.spec.wire(), "status": run.status.wire(),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("run", "where"),
    [
        (a_run(), None),
        (a_run(Phase.PENDING, reason="FleetLimit"), Place.WAITED_FOR),
        (a_run(Phase.VALIDATING), Place.TAKEN),
        (a_run(Phase.VALIDATING, validations=2), None),
        (a_run(Phase.VALIDATING, validations=2, reason="FleetLimit"), Place.WAITED_FOR),
        (a_run(Phase.VALIDATING, recheck_at=NOW), None),
        (a_run(Phase.TRAINING), Place.TAKEN),
        (a_run(Phase.GATING), None),
        (a_run(Phase.VALIDATING, spec={"dry_run": True}), None),
    ],
)
def test_the_caches_find_a_run_by_the_place_it_has_or_waits_for(run: RunSeen, where: Place | None) -> None:
    assert list(waking.runs(wire(run))) == [KEY, *([where] if where else [])]


def test_a_place_that_our_own_write_has_left_is_free_before_the_watch_says_so_again() -> None:
    world = WatchedWorld()
    world.remember(wire(a_run(Phase.TRAINING), "2"))
    assert [run.name for run in world.places(Place.TAKEN)] == ["churn-risk-57"]
    world.remember(wire(a_run(Phase.GATING), "3"))
    assert world.places(Place.TAKEN) == []


def test_a_place_that_our_own_write_has_left_is_free_though_the_watch_still_has_it_taken() -> None:
    world, index = WatchedWorld(), Index(waking.runs)
    world.attach({"runs": index})
    index.take(wire(a_run(Phase.TRAINING), "2"))
    world.remember(wire(a_run(Phase.GATING), "3"))
    assert (world.places(Place.TAKEN), [run.status.phase for run in world.runs(KEY)]) == ([], [Phase.GATING])
    index.take(wire(a_run(Phase.GATING), "3"))
    assert (world.places(Place.TAKEN), [run.status.phase for run in world.runs(KEY)]) == ([], [Phase.GATING])
    index.take(wire(a_run(Phase.GATING), "3"), gone=True)
    assert world.runs(KEY) == []


def test_whoever_changes_wakes_the_next_in_line() -> None:
    world, changed = WatchedWorld(), wire(a_run(Phase.GATING)) | {"spec": {"policyRef": {"name": "workload"}}}
    assert waking.for_run(changed, world) == [("members", "workload")]
    for name, hours in (("younger", 1), ("oldest", 3), ("older", 2)):
        run = a_run(Phase.PENDING, name=name, created=NOW - timedelta(hours=hours), reason="FleetLimit")
        world.remember(wire(run))
    assert waking.for_run(changed, world) == [("members", "workload"), KEY]
    assert min(world.places(Place.WAITED_FOR), key=standing).name == "oldest"

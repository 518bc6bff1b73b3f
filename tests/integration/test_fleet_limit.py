"""More policies than may train at once: never one too many, killed or not, the oldest first, and all of them in the end."""

from datetime import datetime
from typing import Any, Final

import pytest

from tests.integration import team
from tests.integration.stage import Stage
from tests.stand_ins.fake_trainer import FakeTrainer, trains

pytestmark = pytest.mark.asyncio(loop_scope="session")

OPERATOR_SETTINGS: Final = {"max_concurrent_runs": "2"}
POLICIES: Final = tuple(f"model-{number}" for number in range(5))
_WITH_A_PLACE: Final = frozenset({"Validating", "Queued", "Training"})


def time_with_a_place(run: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return when a run took its place and when it left it, by its own timeline."""
    entries = [(entry["phase"], datetime.fromisoformat(entry["at"])) for entry in run["status"]["timeline"]]
    first = next(number for number, (phase, _) in enumerate(entries) if phase in _WITH_A_PLACE)
    return entries[first][1], next(at for phase, at in entries[first:] if phase not in _WITH_A_PLACE)


def training(stage: Stage) -> list[str]:
    runs = stage.seen.all("modelretrainruns")
    return [run["metadata"]["name"] for run in runs if (run.get("status") or {}).get("phase") == "Training"]


async def test_of_five_policies_two_train_at_once_and_the_oldest_goes_first_whatever_becomes_of_the_operator(stage: Stage) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=trains(after=1)))
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    for name in POLICIES:
        await stage.api.create("deployments", team.deployment(stage.namespace, f"{name}-api"))
        serving = {
            "deploymentRef": {"name": f"{name}-api"}, "replicas": 1, "service": {"name": name, "targetPort": stage.models.port},
        }  # fmt: skip
        await stage.given_a_policy(name, serving=serving)
    for _ in range(2):  # who trains is known from the runs alone
        await stage.then(lambda: training(stage), "a run trains")
        stage.operator.kill()
        await stage.operator.start()
    runs = [await stage.then_run_ends(f"{name}-1", "Succeeded", within=90) for name in POLICIES]

    spans = [time_with_a_place(run) for run in runs]
    for began, _ in spans:
        assert sum(start <= began < end for start, end in spans) <= 2, spans
    waited = [run for run in runs if any(entry["reason"] == "FleetLimit" for entry in run["status"]["timeline"])]
    assert len(waited) >= 2
    told = next(entry["message"] for entry in waited[0]["status"]["timeline"] if entry["reason"] == "FleetLimit")
    assert told == "the administrator lets 2 runs train at once, all policies together; emergencies go first, then the oldest"
    in_turn = sorted(waited, key=lambda run: time_with_a_place(run)[0])
    created = [run["metadata"]["creationTimestamp"] for run in in_turn]
    assert created == sorted(created)

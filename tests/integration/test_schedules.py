"""A slot of a schedule comes by itself, at its time in its zone, and starts one run, whatever becomes of the operator."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.integration.stage import Stage

pytestmark = pytest.mark.asyncio(loop_scope="session")

ZONE = "Asia/Kolkata"  # half an hour off, and never changed


def next_slot() -> datetime:
    """Return the next full minute for which there is time to prepare."""
    return (datetime.now(UTC) + timedelta(seconds=80)).replace(second=0, microsecond=0)


def trigger(stage: Stage) -> dict[str, Any]:
    return next((dict(one) for one in stage.policy_status().get("triggers") or ()), {})


async def test_a_slot_starts_one_run_at_its_time_and_no_other_after_a_kill(stage: Stage) -> None:
    await stage.given_a_champion(triggers=[])
    slot = next_slot()
    local = slot.astimezone(ZoneInfo(ZONE))
    daily = {"cron": f"{local.minute} {local.hour} * * *", "timeZone": ZONE, "jitter": "0s"}
    await stage.when_changed(triggers=[{"name": "daily", "schedule": daily, "hyperparameters": {"epochs": 7}}])
    assert trigger(stage)["reason"] == "NotDue"
    assert datetime.fromisoformat(stage.policy_status()["nextSchedule"]) == slot

    run = await stage.then(lambda: stage.seen.one("modelretrainruns", "churn-2"), "the slot has its run", within=120)
    stage.operator.kill()
    await stage.operator.start()

    assert slot <= datetime.fromisoformat(run["metadata"]["creationTimestamp"]) <= slot + timedelta(seconds=30)
    [evidence] = run["spec"]["evidence"]
    assert (run["spec"]["trigger"], run["spec"]["reason"], datetime.fromisoformat(evidence["startsAt"])) == ("daily", "ScheduleDue", slot)
    await stage.then_run_ends("churn-2", "Succeeded")
    assert stage.kubelet.requests[-1]["hyperparameters"]["epochs"] == 7
    following = slot + timedelta(days=1)
    await stage.then(lambda: datetime.fromisoformat(stage.policy_status()["nextSchedule"]) == following, "the next slot is tomorrow's")
    assert stage.seen.one("modelretrainruns", "churn-3") is None

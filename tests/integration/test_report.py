"""Every policy has a CronJob that prunes; one that asks for a report has another, as it asks for it and for as long as it does."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.stage import Stage, Theatre
from tests.stand_ins.api import ApiError
from tests.stand_ins.mirror import RESOURCES

pytestmark = pytest.mark.asyncio(loop_scope="session")
CRON_JOB = "churn-report"


@pytest_asyncio.fixture(loop_scope="session")
async def stage(theatre: Theatre) -> AsyncIterator[Stage]:
    async with theatre.stage(resources=(*RESOURCES, "cronjobs")) as opened:
        yield opened


async def then_it_is_due(stage: Stage, schedule: str, time_zone: str) -> dict[str, Any]:
    def fact() -> dict[str, Any] | None:
        spec = (stage.seen.one("cronjobs", CRON_JOB) or {}).get("spec", {})
        return spec if (spec.get("schedule"), spec.get("timeZone")) == (schedule, time_zone) else None

    found: dict[str, Any] = await stage.then(fact, f"{CRON_JOB} is due at {schedule} {time_zone}")
    return found


async def test_a_report_comes_changes_and_goes_with_the_policys_field(stage: Stage) -> None:
    await stage.given_a_platform()
    policy = await stage.given_a_policy(suspend=True)
    await stage.then_condition("Ready", "True", "NoVersionYet")
    assert not stage.seen.one("cronjobs", CRON_JOB)

    await stage.when_changed(report={"schedule": "0 8 * * *", "timeZone": "Europe/Berlin"})
    spec = await then_it_is_due(stage, "0 8 * * *", "Europe/Berlin")
    pod = spec["jobTemplate"]["spec"]["template"]["spec"]
    assert (pod["serviceAccountName"], pod["containers"][0]["args"]) == ("retrainer-monitor", ["report"])
    cron_jobs = stage.seen.all("cronjobs")
    assert {cron_job["metadata"]["name"] for cron_job in cron_jobs} == {CRON_JOB, "churn-prune"}
    assert [cron_job["metadata"]["ownerReferences"][0]["uid"] for cron_job in cron_jobs] == [policy["metadata"]["uid"]] * 2

    await stage.when_changed(report={"schedule": "30 6 * * 1", "timeZone": "America/New_York"})
    await then_it_is_due(stage, "30 6 * * 1", "America/New_York")

    await stage.when_changed(report=None)
    await stage.then(lambda: not stage.seen.one("cronjobs", CRON_JOB), f"{CRON_JOB} is gone")
    assert stage.seen.one("cronjobs", "churn-prune"), "every policy prunes"


async def test_a_report_that_somebody_deleted_is_made_again(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(suspend=True, report={})
    await then_it_is_due(stage, "0 8 * * *", "Etc/UTC")
    await stage.api.delete("cronjobs", stage.namespace, CRON_JOB)
    await then_it_is_due(stage, "0 8 * * *", "Etc/UTC")


@pytest.mark.parametrize("schedule", ["61 8 * * *", "0 25 * * *", "0 8 * * 5-1", "@daily", "0 8 L * *", "0 8 * *"])
async def test_a_schedule_that_cannot_be_is_refused_at_the_door(stage: Stage, schedule: str) -> None:
    with pytest.raises(ApiError, match=r"spec\.report\.schedule"):
        await stage.given_a_policy(suspend=True, report={"schedule": schedule})


@pytest.mark.parametrize("schedule", ["0 8 * * *", "59 */12 1,15 1,12 *", "5 0,6,12,18 * * 1-5", "0 * * * 0,6"])
async def test_what_the_door_lets_in_the_cron_job_takes(stage: Stage, schedule: str) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(suspend=True, report={"schedule": schedule})
    await then_it_is_due(stage, schedule, "Etc/UTC")


async def test_an_unknown_time_zone_is_told_and_heals(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(suspend=True, report={"timeZone": "Mars/Olympus"})
    told = await stage.then_condition("Ready", "False", "ReportScheduleInvalid")
    assert "Mars/Olympus" in told["message"]
    await stage.when_changed(report={"timeZone": "Europe/Berlin"})
    await then_it_is_due(stage, "0 8 * * *", "Europe/Berlin")

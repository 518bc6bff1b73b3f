from datetime import UTC, datetime, timedelta

import pytest

from retrainer.api.v1alpha1.triggers import Schedule
from retrainer.core.arbitration import Arbitration, arbitrate
from retrainer.core.phases import Phase
from retrainer.core.triggers.schedule import next_slot, slots
from tests.builders import NOW, Part, a_policy, a_run, seen

NOON = {"cron": "0 12 * * *"}
BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def scheduled(
    now: datetime, *runs: Part, schedule: Part = None, created: datetime = NOW - timedelta(days=60), **policy: Part
) -> Arbitration:
    triggers = [{"name": "monthly", "schedule": schedule or NOON}]
    return arbitrate(seen(a_policy(created=created, triggers=triggers, **policy), *runs, now=now))


def told(arbitration: Arbitration) -> tuple[str, str]:
    [status] = arbitration.triggers
    return status.state, status.reason


def test_a_slot_starts_a_run_from_its_very_second_on() -> None:
    assert scheduled(NOW).start is not None
    assert scheduled(NOW - timedelta(seconds=1)).start is None


def test_the_slot_is_the_runs_evidence_and_is_remembered() -> None:
    arbitration = scheduled(NOW + timedelta(minutes=5))
    assert arbitration.start is not None
    assert [item.starts_at for item in arbitration.start.spec.evidence] == [NOW]
    assert arbitration.triggers[0].last_slot == NOW


def test_a_missed_slot_is_made_up_for_inside_its_deadline_and_not_outside() -> None:
    assert scheduled(NOW + timedelta(hours=1)).start is not None
    late = scheduled(NOW + timedelta(hours=1, seconds=1))
    assert (late.start, told(late)) == (None, ("Refused", "SlotMissed"))


def test_of_several_missed_slots_only_the_latest_is_made_up_for() -> None:
    arbitration = scheduled(NOW + timedelta(minutes=30), schedule={"cron": "*/10 * * * *", "starting_deadline": "1d"})
    assert arbitration.start is not None
    assert [item.starts_at for item in arbitration.start.spec.evidence] == [NOW + timedelta(minutes=30)]


@pytest.mark.parametrize("where", ["spec", "status"])
def test_a_slot_that_a_run_carries_is_not_used_again(where: str) -> None:
    evidence = [{"trigger": "monthly", "starts_at": NOW}]
    run = a_run(Phase.TRAINING, spec={"evidence": evidence}) if where == "spec" else a_run(Phase.TRAINING, evidence=evidence)
    arbitration = scheduled(NOW + timedelta(minutes=5), run)
    assert (arbitration.start, told(arbitration)) == (None, ("Armed", "NotDue"))


def test_a_slot_is_used_once_though_its_run_has_been_deleted() -> None:
    entry = {"name": "monthly", "state": "Started", "reason": "ScheduleDue", "since": NOW, "last_slot": NOW}
    assert scheduled(NOW + timedelta(minutes=5), status={"triggers": [entry]}).start is None


def test_a_slot_before_the_policy_was_made_is_none_of_its_own() -> None:
    assert scheduled(NOW + timedelta(minutes=5), created=NOW + timedelta(minutes=1)).start is None
    assert scheduled(NOW + timedelta(minutes=5), created=NOW).start is not None


def test_a_refused_slot_is_not_used_up() -> None:
    refused = scheduled(NOW, suspend=True)
    assert (told(refused), refused.triggers[0].last_slot) == (("Refused", "Suspended"), None)
    kept = {"triggers": [refused.triggers[0].model_dump()]}
    assert scheduled(NOW + timedelta(minutes=30), status=kept).start is not None


def test_the_policy_looks_again_at_the_next_slot() -> None:
    assert scheduled(NOW - timedelta(minutes=3)).look_again_in == 180


@pytest.mark.parametrize(
    "broken",
    [
        {"cron": "61 * * * *"},
        {"cron": "0 0 30 2 *"},
        {"cron": "a b c d e"},
        {"cron": "H H * * *"},
        {"cron": "R R * * *"},
        {"cron": "r(0-5) 1 * * *"},
        {"cron": "0 0 * * *", "time_zone": "Europe/Atlantis"},
        {"cron": "0 0 * * *", "time_zone": "Europe"},
        {"cron": "0 0 * * *", "time_zone": "Europe//Berlin"},
        {"cron": "0 0 * * *", "time_zone": "leapseconds"},
    ],
)
def test_a_schedule_that_is_none_is_told_and_holds_up_nobody(broken: dict[str, str]) -> None:
    good = {"name": "good", "schedule": NOON}
    policy = a_policy(triggers=[{"name": "bad", "schedule": broken}, good])
    arbitration = arbitrate(seen(policy))
    assert [(status.state, status.reason) for status in arbitration.triggers] == [
        ("Refused", "ScheduleInvalid"),
        ("Started", "ScheduleDue"),
    ]
    assert next_slot(policy.spec.triggers, NOW) == NOW + timedelta(days=1)


@pytest.mark.parametrize("cron", ["0 3 * mar fri", "0 3 * apr thu", "0 3 l * *"])
def test_names_that_contain_an_r_are_no_random_schedules(cron: str) -> None:
    assert slots(Schedule(cron=cron), NOW)[0] < NOW


def every_slot(cron: str, start: datetime, end: datetime, zone: str = BERLIN) -> list[datetime]:
    """Return each slot that a policy looking once a minute sees, once."""
    schedule, found, now = Schedule(cron=cron, time_zone=zone), [], start
    while now <= end:
        latest, upcoming = slots(schedule, now)
        assert latest <= now < upcoming
        if latest >= start and latest not in found:
            found.append(latest)
        now += timedelta(minutes=10)
    return found


def test_a_schedule_follows_its_zone_through_the_year() -> None:
    assert slots(Schedule(cron="0 3 * * *", time_zone=BERLIN), at("2026-07-01T12:00"))[0] == at("2026-07-01T01:00")
    assert slots(Schedule(cron="0 3 * * *", time_zone=BERLIN), at("2026-12-01T12:00"))[0] == at("2026-12-01T02:00")


def test_the_hour_that_spring_leaves_out_costs_at_most_its_own_slot_and_doubles_none() -> None:
    found = every_slot("30 2 * * *", at("2026-03-28T00:00"), at("2026-03-30T12:00"))
    assert at("2026-03-28T01:30") in found
    assert at("2026-03-30T00:30") in found
    assert len(found) <= 3


def test_the_hour_that_autumn_repeats_has_its_daily_slot_at_most_once_a_day() -> None:
    found = every_slot("30 2 * * *", at("2026-10-24T00:00"), at("2026-10-26T12:00"))
    assert len(found) == 3


def test_an_hourly_schedule_loses_and_doubles_no_hour_at_either_change() -> None:
    for day in ("2026-03-29", "2026-10-25"):
        found = every_slot("0 * * * *", at(f"{day}T00:00"), at(f"{day}T05:00"))
        assert found == [at(f"{day}T0{hour}:00") for hour in range(6)]

import random
from collections import Counter
from datetime import datetime, timedelta

import pytest

from retrainer.api.v1alpha1.triggers import Schedule
from retrainer.core.arbitration import Arbitration, arbitrate
from retrainer.core.phases import Phase
from retrainer.core.triggers.schedule import next_start, put_off
from tests.builders import NOW, Part, a_policy, a_run, an_identity, seen

NOON = {"cron": "0 12 * * *", "jitter": "0s"}


def scheduled(
    now: datetime, *runs: Part, schedule: Part = None, created: datetime = NOW - timedelta(days=60), **policy: Part
) -> Arbitration:
    triggers = [{"name": "monthly", "schedule": {"jitter": "0s"} | (schedule or NOON)}]
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
    arbitration = scheduled(NOW + timedelta(minutes=5), run, status={"last_run_number": 57})
    assert (arbitration.start, told(arbitration)) == (None, ("Armed", "NotDue"))


def test_a_run_that_the_status_does_not_know_yet_has_used_its_slot() -> None:
    run = a_run(Phase.PENDING, spec={"evidence": [{"trigger": "monthly", "starts_at": NOW, "message": "the slot"}]})
    arbitration = scheduled(NOW + timedelta(minutes=5), run, status={"last_run_number": 56})
    status = arbitration.triggers[0]
    assert (arbitration.start, told(arbitration)) == (None, ("Started", "ScheduleDue"))
    assert (status.message, status.last_slot) == ("churn-risk-57: the slot", NOW)


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
    assert next_start(policy, NOW) == NOW + timedelta(days=1)


def test_a_fleets_slots_are_spread_over_the_jitter_and_a_policys_is_put_off_by_the_same_time_always() -> None:
    schedule = Schedule(cron="0 3 1 * *", jitter="10m")
    fleet = [put_off(schedule, an_identity(f"policy-{number}")) for number in range(1000)]
    assert fleet == [put_off(schedule, an_identity(f"policy-{number}")) for number in range(1000)]
    minutes = Counter(int(one.total_seconds() // 60) for one in fleet)
    assert set(minutes) == set(range(10))
    assert max(minutes.values()) < 150, "about a hundred in each minute"


def test_the_jitter_leaves_half_of_the_deadline_to_start_in() -> None:
    schedule = Schedule(cron="0 3 1 * *", jitter="1d", starting_deadline="10m")
    assert max(put_off(schedule, an_identity(f"policy-{number}")) for number in range(1000)) < timedelta(minutes=5)


def test_a_slot_that_is_put_off_starts_then_and_is_told_by_its_own_time() -> None:
    jittered = {"cron": "0 12 * * *", "jitter": "10m"}
    start = NOW + put_off(Schedule.model_validate(jittered), a_policy().identity)
    early = scheduled(start - timedelta(seconds=1), schedule=jittered)
    assert (early.start, early.look_again_in) == (None, 1)
    arbitration = scheduled(start, schedule=jittered)
    assert arbitration.start is not None
    assert [item.starts_at for item in arbitration.start.spec.evidence] == [NOW]


def test_whatever_is_asked_and_however_often_a_schedule_starts_at_most_the_latest_slot_once_and_in_time() -> None:
    chance = random.Random(7)
    for _ in range(300):
        schedule = {"cron": f"{chance.randint(0, 59)} */{chance.randint(2, 9)} * * *", "starting_deadline": f"{chance.randint(5, 200)}m"}
        created = NOW - timedelta(minutes=chance.randint(0, 3000))
        now, entry, started = NOW, None, []
        for _ in range(6):
            status = {"triggers": [entry]} if entry else {}
            arbitration = scheduled(now, schedule=schedule | {"jitter": "30m"}, created=created, status=status)
            if arbitration.start is not None:
                [item] = arbitration.start.spec.evidence
                deadline = timedelta(minutes=int(schedule["starting_deadline"][:-1]))
                assert created <= item.starts_at <= now <= item.starts_at + deadline
                started.append(item.starts_at)
            entry = arbitration.triggers[0].model_dump()
            now += timedelta(minutes=chance.randint(0, 400))
        assert started == sorted(set(started)), "never a slot twice, never an older one after a younger"

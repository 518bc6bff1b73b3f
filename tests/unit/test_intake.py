"""Whose rounds an alert waits for."""

import pytest

from retrainer import waking
from retrainer.adapters.world import WatchedWorld
from retrainer.core.kinds import Kind
from retrainer.inbox import Inbox
from retrainer.index import Index
from retrainer.intake import QueueIntake
from retrainer.ports import Key
from tests.builders import Part, a_policy, alerting, an_alert
from tests.fakes import FakeClock
from tests.unit.test_waking import body

CRON = {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}}


def a_world() -> WatchedWorld:
    """Return a world of two namespaces, with policies that heed alerts of their model and one that heeds none."""
    policies = Index(waking.policies)
    for namespace, name, trigger in (
        ("members", "churn", alerting(alert={"match_labels": {"alertname": "ModelDrift", "model": "churn"}})),
        ("members", "workload", alerting(alert={"match_labels": {"alertname": "ModelDrift", "model": "workload"}})),
        ("members", "monthly", CRON),
        ("others", "churn", alerting(alert={"match_labels": {"alertname": "ModelDrift"}})),
    ):
        spec = a_policy(name, triggers=[trigger]).spec.wire()
        policies.take(body(Kind.POLICY, name, spec, namespace=namespace, uid=f"{namespace}-{name}"))
    world = WatchedWorld()
    world.attach({"policies": policies})
    return world


async def woken(alert: Part, *, across: bool = False, synced: bool = True) -> tuple[bool, list[Key]]:
    waited_for: list[Key] = []

    async def settled(key: Key) -> None:
        waited_for.append(key)

    intake = QueueIntake(Inbox(across_namespaces=across), a_world(), FakeClock(), settled=settled, synced=lambda: synced)
    return await intake.receive([alert]), sorted(waited_for)


@pytest.mark.parametrize(
    ("labels", "across", "keys"),
    [
        ({"model": "churn", "namespace": "members"}, False, [("members", "churn")]),
        ({"model": "other", "namespace": "members"}, False, []),
        ({"model": "churn", "namespace": "others"}, False, [("others", "churn")]),
        ({"model": "churn"}, False, []),
        ({"model": "churn", "namespace": "members"}, True, [("members", "churn"), ("others", "churn")]),
    ],
)
async def test_an_alert_waits_for_the_policies_of_its_namespace_that_it_concerns(labels: Part, across: bool, keys: list[Key]) -> None:
    assert await woken(an_alert(**labels), across=across) == (True, keys)


async def test_before_all_policies_are_known_nothing_is_taken_in() -> None:
    assert await woken(an_alert(namespace="members", model="churn"), synced=False) == (False, [])

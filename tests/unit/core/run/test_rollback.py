from typing import Any

import pytest

from retrainer.core import naming
from retrainer.core.actions import Effect, SendTraffic
from retrainer.core.observation import Observation, RunSeen
from retrainer.core.phases import Outcome, Phase
from retrainer.core.run import advance
from retrainer.core.withdrawal import Withdrawal
from retrainer.manifests.route import route_seen
from retrainer.manifests.seen import service_seen
from retrainer.manifests.serving import claim_of, claimed_service
from retrainer.manifests.traffic import shares
from retrainer.manifests.withdrawal import read, written
from tests.builders import (
    CANDIDATE,
    CHAMPION,
    Part,
    a_policy,
    a_route,
    a_run,
    a_service,
    an_analysis,
    answers,
    by_route,
    seen,
)

BAD = {CANDIDATE: (50.0, 500.0), CHAMPION: (0.0, 500.0)}
WHY = Withdrawal("uid-of-churn-risk-57", Outcome.ROLLED_BACK, "AnalysisFailed", 'ErrorRate of "57" is 0.1')
STORED = {"uid": "u", "creationTimestamp": "2026-11-23T12:00:00Z"}


def a_world(run: RunSeen, **parts: Part) -> Observation:
    """A canary or a watch with everything ready."""
    watched = run.status.phase is Phase.WATCHING
    service = a_service(CANDIDATE, previous=CHAMPION) if watched else a_service(shared=True)
    known: dict[str, Any] = {"backends": {CHAMPION: 3, CANDIDATE: 3 if watched else 1}, "service": service} | parts
    return seen(a_policy(), run, **known)


def sent(effects: tuple[Effect, ...]) -> SendTraffic:
    return next(effect for effect in effects if isinstance(effect, SendTraffic))


@pytest.mark.parametrize(
    ("phase", "said", "end"),
    [
        (Phase.CANARY, {}, (Outcome.ROLLED_BACK, "AnalysisFailed")),
        (Phase.WATCHING, {}, (Outcome.ROLLED_BACK, "RegressionInWatch")),
        (Phase.CANARY, {"abort": CANDIDATE}, (Outcome.ABORTED, "Aborted")),
    ],
)
def test_a_run_that_lost_its_traffic_ends_alike_whether_or_not_its_round_lived_to_record_it(
    phase: Phase, said: dict[str, str], end: tuple[Outcome, str]
) -> None:
    run = a_run(phase, analysis=an_analysis(), **said)
    world = a_world(run, answers=answers(run, ErrorRate=BAD))
    undisturbed = advance(run, world)
    manifest = shares(world, sent(undisturbed.effects))
    manifest["metadata"] |= STORED
    disturbed = advance(run, a_world(run, service=service_seen(manifest), backends={CHAMPION: 3, CANDIDATE: 0}))
    assert (disturbed.status.outcome, disturbed.status.reason) == end
    assert disturbed.status.message == undisturbed.status.message
    assert disturbed.status.return_check == undisturbed.status.return_check
    assert disturbed.effects == ()


def test_a_route_says_it_too() -> None:
    policy = a_policy(**by_route())
    run = a_run(Phase.CANARY, policy=policy, analysis=an_analysis())
    manifest = shares(seen(policy, run, route=a_route()), SendTraffic(CHAMPION, "", withdrawal=WHY))
    manifest["metadata"] |= STORED
    step = advance(run, seen(policy, run, route=route_seen(manifest), backends={CHAMPION: 3, CANDIDATE: 1}))
    assert (step.status.outcome, step.status.reason, step.status.message) == (WHY.outcome, WHY.reason, WHY.message)


def test_what_another_run_lost_its_traffic_for_ends_nothing() -> None:
    """A policy that is made anew numbers its runs from the start; the Service of the one before is still there."""
    before = Withdrawal("uid-of-an-earlier-churn-risk-57", Outcome.ROLLED_BACK, "AnalysisFailed", "it was bad")
    run = a_run(Phase.CANARY, analysis=an_analysis())
    assert advance(run, a_world(run, service=a_service(shared=True, withdrawal=before))).status.phase is Phase.CANARY


def test_the_next_move_of_the_traffic_forgets_it_and_a_claim_does_not() -> None:
    service = a_service(withdrawal=WHY)
    claimed = claimed_service(claim_of(a_policy()), service)
    assert read(claimed["metadata"]["annotations"][naming.WITHDRAWN]) == WHY
    moved = shares(seen(a_policy(), service=service), SendTraffic(CHAMPION, "", CANDIDATE, 10))
    assert naming.WITHDRAWN not in moved["metadata"]["annotations"]


def test_what_somebody_has_made_unreadable_says_nothing() -> None:
    assert [read(text) for text in ("", "{", "[]", "3", '{"run": "u"}', written(WHY).replace("RolledBack", "Exploded"))] == [None] * 6

import pytest

from retrainer.adapters.world import WatchedWorld
from retrainer.apply import Hands
from retrainer.core.actions import LaunchJob
from retrainer.core.observation import Component
from retrainer.core.phases import Phase
from retrainer.errors import Refused
from retrainer.ports import Defaults
from tests.builders import a_policy, a_run, seen
from tests.fakes import FakeApiServer, FakeCluster


async def test_a_request_that_is_too_long_is_a_refusal_which_the_policy_shows_and_no_fault_to_be_tried_again() -> None:
    run = a_run(Phase.QUEUED, policy=a_policy(training={"data": {"features": {"allow": ["c" * 63] * 256}}}))
    server = FakeApiServer()
    hands = Hands(FakeCluster(server), WatchedWorld(), Defaults("trainer:1", 30, "pod-0"))
    with pytest.raises(Refused, match="at most 16384"):
        await hands.apply((LaunchJob(run, Component.TRAIN, 1),), seen(a_policy(), run))
    assert server.writes == []

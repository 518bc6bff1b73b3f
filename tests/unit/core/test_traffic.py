from hypothesis import given
from hypothesis import strategies as st

from retrainer.core import naming
from retrainer.core.actions import SendTraffic
from retrainer.core.observation import Observation
from retrainer.core.traffic.replicas import Replicas, candidate_pods, effective_weight
from tests.builders import CANDIDATE, CHAMPION, a_policy, a_service, seen

MODE = Replicas()
WEIGHT, PODS = st.integers(1, 99), st.integers(1, 200)


@given(WEIGHT, PODS)
def test_a_candidate_has_a_pod_and_never_more_than_the_champion(weight: int, champion: int) -> None:
    assert 1 <= candidate_pods(weight, champion) <= champion


@given(WEIGHT, PODS)
def test_no_other_number_of_pods_comes_nearer_to_the_weight(weight: int, champion: int) -> None:
    def distance(pods: int) -> float:
        return abs(100 * pods / (pods + champion) - weight)

    assert distance(candidate_pods(weight, champion)) <= min(distance(pods) for pods in range(1, champion + 1)) + 0.5


@given(st.integers(1, 98), PODS)
def test_a_higher_weight_never_means_fewer_pods(weight: int, champion: int) -> None:
    assert candidate_pods(weight, champion) <= candidate_pods(weight + 1, champion)


def test_the_effective_weight_is_what_ready_pods_give() -> None:
    assert [effective_weight(*ready) for ready in ((0, 0), (0, 3), (1, 3), (3, 3), (1, 0))] == [0, 0, 25, 50, 100]


def serves_alone(world: Observation, version: str) -> bool:
    return MODE.carries(world, SendTraffic(version, ""))


def test_who_serves_is_read_from_the_services_selector() -> None:
    alone, shared, fresh = seen(service=a_service()), seen(service=a_service(shared=True)), seen(service=a_service(""))
    assert [MODE.is_shared(world) for world in (alone, shared, fresh)] == [False, True, False]
    assert [serves_alone(world, CHAMPION) for world in (alone, shared, fresh)] == [True, False, False]
    assert not serves_alone(alone, CANDIDATE)
    assert not MODE.is_shared(seen(a_policy(), service=None))


def test_a_selector_that_says_another_version_than_its_mark_serves_neither_alone() -> None:
    torn = a_service(CHAMPION, selector={naming.SERVES: "churn-risk", naming.VERSION: CANDIDATE})
    assert not serves_alone(seen(service=torn), CHAMPION)
    assert not serves_alone(seen(service=torn), CANDIDATE)

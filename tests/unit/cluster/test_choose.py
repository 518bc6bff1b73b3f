"""Which way a cluster is had."""

import pytest

from tests.cluster.choose import Circumstances, decide
from tests.cluster.interface import ClusterError, Way


def test_an_existing_context_is_used_only_when_it_is_allowed_by_name() -> None:
    seen = Circumstances(context="staging", allowed=frozenset({"staging"}))
    assert decide(seen).way is Way.EXISTING


@pytest.mark.parametrize("allowed", [frozenset[str](), frozenset({"stagin"}), frozenset({"*"}), frozenset({"Staging"})])
def test_a_context_that_is_not_named_exactly_is_refused(allowed: frozenset[str]) -> None:
    with pytest.raises(ClusterError, match="context staging is not allowed"):
        decide(Circumstances(context="staging", allowed=allowed))


def test_a_refused_context_does_not_fall_back_to_another_way() -> None:
    with pytest.raises(ClusterError):
        decide(Circumstances(context="production", engine="docker", kind_can_be_had=True, control_plane=True))


def test_kind_is_used_where_a_container_engine_answers() -> None:
    choice = decide(Circumstances(engine="podman", kind_can_be_had=True))
    assert (choice.way, choice.why) == (Way.KIND, "podman answers")


def test_without_a_container_engine_the_cluster_is_local() -> None:
    assert decide(Circumstances(kind_can_be_had=True)).way is Way.LOCAL


def test_without_kind_the_cluster_is_local() -> None:
    assert decide(Circumstances(engine="docker")).way is Way.LOCAL


def test_a_control_plane_alone_is_local_also_where_kind_could_be_had() -> None:
    assert decide(Circumstances(engine="docker", kind_can_be_had=True, control_plane=True)).way is Way.LOCAL


@pytest.mark.parametrize(("local", "way"), [(True, Way.LOCAL), (False, Way.KIND)])
def test_a_cluster_that_is_there_stays_what_it_is(local: bool, way: Way) -> None:
    seen = Circumstances(local_made_it=local, kind_made_it=not local, demanded="local", engine="docker")
    assert decide(seen).way is way


def test_a_way_can_be_demanded() -> None:
    assert decide(Circumstances(engine="docker", kind_can_be_had=True, demanded="local")).way is Way.LOCAL


@pytest.mark.parametrize("demanded", ["existing", "minikube"])
def test_a_way_that_cannot_be_demanded_is_refused(demanded: str) -> None:
    with pytest.raises(ClusterError, match="kind or local"):
        decide(Circumstances(demanded=demanded))

"""One cluster with the platform and the operator for the whole session, watched throughout by the observer."""

from collections.abc import Iterator

import pytest

from demo.story.answers import Line, violations
from demo.story.last_seen import write_last_seen
from demo.story.stage import ROOT, Stage
from tests.e2e.staging import staged

BUILD = ROOT / "build/e2e"


@pytest.fixture(scope="session")
def caused() -> list[Line]:
    """The broken invariants that a test has caused itself, and told the reason of; nothing else may ever be broken."""
    return []


@pytest.fixture(scope="session")
def stage(caused: list[Line]) -> Iterator[Stage]:
    """The platform with a seeded world and no policy yet; everything comes down at the end of the session."""
    with staged("e2e", BUILD) as stage:
        yield stage
        code = stage.companions.end("observer")
        assert not (broken := unexpected(stage, caused)), broken
        assert code == (1 if caused else 0), f"the observer ended with {code}"


@pytest.fixture(autouse=True)
def no_invariant_is_broken(stage: Stage, caused: list[Line]) -> Iterator[None]:
    """Every test ends with the observer's word that nothing was wrong meanwhile."""
    yield
    assert unexpected(stage, caused) == []


def unexpected(stage: Stage, caused: list[Line]) -> list[Line]:
    return [one for one in violations(stage.observer_record) if one not in caused]


def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Keep what was last seen in the cluster when a test fails."""
    stage = getattr(node, "funcargs", {}).get("stage")
    if isinstance(stage, Stage):
        write_last_seen(stage.kubectl, BUILD / f"last-seen-{node.name}.txt", all_namespaces=True)

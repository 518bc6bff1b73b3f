"""One cluster with the platform and the operator for the whole session, watched throughout by the observer."""

from collections.abc import Iterator

import pytest

from demo.story import ground
from demo.story.answers import violations
from demo.story.database import Database
from demo.story.kubectl import Kubectl
from demo.story.last_seen import write_last_seen
from demo.story.processes import Companions
from demo.story.prometheus import Prometheus
from demo.story.stage import NAMESPACE, ROOT, Stage
from demo.story.telling import Timeline
from demo.story.traffic import start_observer
from tests.cluster.choose import choose
from tests.cluster.consent import agree
from tests.e2e.tenant import FOREIGN_IMAGE

BUILD = ROOT / "build/e2e"


@pytest.fixture(scope="session")
def stage() -> Iterator[Stage]:
    """The platform with a seeded world and no policy yet; everything comes down at the end of the session."""
    cluster, _ = choose("e2e")
    agree(cluster.plan())
    timeline, companions = Timeline(BUILD / "timeline.jsonl"), Companions(BUILD)
    try:
        cluster.up()
        kubectl = Kubectl(cluster.binary("kubectl"), cluster.kubeconfig)
        stage = Stage(cluster, timeline, BUILD, kubectl, Database(kubectl, NAMESPACE), companions, Prometheus(""))
        with timeline.step("the platform"):
            cluster.build_image(FOREIGN_IMAGE, ROOT / "tests/e2e/foreign")
            cluster.load_image(FOREIGN_IMAGE)
            ground.raise_platform(stage)
            start_observer(stage)
        yield stage
        assert companions.end("observer") == 0, f"see {stage.observer_record}"
    finally:
        companions.end_all()
        timeline.close()
        cluster.down()


@pytest.fixture(autouse=True)
def no_invariant_is_broken(stage: Stage) -> Iterator[None]:
    """Every test ends with the observer's word that nothing was wrong meanwhile."""
    before = len(violations(stage.observer_record))
    yield
    assert violations(stage.observer_record)[before:] == []


def pytest_exception_interact(node: pytest.Item | pytest.Collector) -> None:
    """Keep what was last seen in the cluster when a test fails."""
    stage = getattr(node, "funcargs", {}).get("stage")
    if isinstance(stage, Stage):
        write_last_seen(stage.kubectl, BUILD / f"last-seen-{node.name}.txt", all_namespaces=True)

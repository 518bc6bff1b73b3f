"""A cluster with the platform and the operator, watched by the observer from the start; everything comes down at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from demo.story import ground
from demo.story.database import Database
from demo.story.kubectl import Kubectl
from demo.story.processes import Companions
from demo.story.prometheus import Prometheus
from demo.story.stage import NAMESPACE, ROOT, Stage
from demo.story.telling import Timeline
from demo.story.traffic import start_observer
from tests.cluster.choose import choose
from tests.cluster.consent import agree
from tests.e2e.manifests import FOREIGN_IMAGE


@contextmanager
def staged(name: str, build: Path) -> Iterator[Stage]:
    """The platform with a seeded world and no policy yet, on a cluster of that name; what is seen and told goes to `build`."""
    cluster, _ = choose(name)
    agree(cluster.plan())
    timeline, companions = Timeline(build / "timeline.jsonl"), Companions(build)
    try:
        cluster.up()
        kubectl = Kubectl(cluster.binary("kubectl"), cluster.kubeconfig)
        stage = Stage(cluster, timeline, build, kubectl, Database(kubectl, NAMESPACE), companions, Prometheus(""))
        with timeline.step("the platform"):
            cluster.build_image(FOREIGN_IMAGE, ROOT / "tests/e2e/foreign")
            cluster.load_image(FOREIGN_IMAGE)
            ground.raise_platform(stage)
            start_observer(stage)
        yield stage
    finally:
        companions.end_all()
        timeline.close()
        cluster.down()

"""`python -m demo.story`: tell the story, or take its cluster down."""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType

from demo.story.bad_candidate import bad_candidate
from demo.story.closing import close_books
from demo.story.database import Database
from demo.story.drift import drift
from demo.story.first_version import first_version
from demo.story.ground import raise_platform
from demo.story.kubectl import Kubectl
from demo.story.last_seen import write_last_seen
from demo.story.processes import Companions
from demo.story.prometheus import Prometheus
from demo.story.stage import NAMESPACE, ROOT, Stage
from demo.story.telling import Timeline
from demo.story.traffic import start_observer, start_traffic
from demo.story.waiting import StoryError
from tests.cluster.choose import choose
from tests.cluster.consent import agree
from tests.cluster.interface import Cluster, ClusterError, Way

_STEPS: Sequence[tuple[str, Callable[[Stage], None]]] = (
    ("a policy, and its first version", first_version),
    ("callers, and what becomes of each prediction", start_traffic),
    ("the world drifts; an alert, a run, a canary, a promotion", drift),
    ("a candidate that is good offline and bad in production; the way back", bad_candidate),
    ("the books", close_books),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when every step happened in its time."""
    options = _options(arguments)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        cluster, why = choose(options.name)
        if options.what == "down":
            cluster.down()
            return 0
        return _tell(cluster, why, options)
    except (ClusterError, StoryError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("interrupted; `make demo-down` takes down what is up\n")
        return 130


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m demo.story", description="One model's story on a real cluster.")
    parser.add_argument("what", nargs="?", choices=("tell", "down"), default="tell", help="tell the story, or take its cluster down")
    parser.add_argument("--name", default="demo", help="the cluster's name (default: %(default)s)")
    parser.add_argument("--build", type=Path, default=ROOT / "build/demo", help="where the timeline and the logs go (default: build/demo)")
    parser.add_argument("--client", choices=("host", "pod"), help="where the client runs (default: host on a local cluster, else pod)")
    parser.add_argument("--keep", action=argparse.BooleanOptionalAction, default=True, help="leave the cluster up to look around")
    return parser.parse_args(arguments)


def _tell(cluster: Cluster, why: str, options: argparse.Namespace) -> int:
    timeline = Timeline(options.build / "timeline.jsonl")
    companions = Companions(options.build)
    stage: Stage | None = None
    try:
        with timeline.step("a cluster, the operator, a database with a world in it, Prometheus and Alertmanager"):
            timeline.tell(f"cluster {cluster.name}: {cluster.way}, because {why}")
            agree(cluster.plan())
            cluster.up()
            stage = _stage(cluster, timeline, companions, options)
            raise_platform(stage)
            start_observer(stage)
        for title, step in _STEPS:
            with timeline.step(title):
                step(stage)
    except (StoryError, ClusterError) as error:
        timeline.tell(f"the story does not go on: {error}")
        if stage is not None:
            seen = options.build / "last-seen.txt"
            sys.stderr.write(f"{write_last_seen(stage.kubectl, seen)}\nAll that was last seen is in {seen}.\n")
        return 1
    finally:
        companions.end_all()
        sys.stdout.write(f"\n{timeline.table()}\n{_afterwards(cluster, keep=options.keep)}\n")
        timeline.close()
        if not options.keep:
            cluster.down()
    return 0


def _stage(cluster: Cluster, timeline: Timeline, companions: Companions, options: argparse.Namespace) -> Stage:
    kubectl = Kubectl(cluster.binary("kubectl"), cluster.kubeconfig)
    in_pod = options.client == "pod" if options.client else cluster.way is not Way.LOCAL
    return Stage(cluster, timeline, options.build, kubectl, Database(kubectl, NAMESPACE), companions, Prometheus(""), in_pod)


def _afterwards(cluster: Cluster, *, keep: bool) -> str:
    if not keep:
        return "The cluster goes down again."
    python = os.environ.get("PYTHON", "python")
    return (
        f"\nTo look around:    eval $({python} -m tests.cluster env --name {cluster.name}); kubectl --namespace {NAMESPACE} get mrp,mrr\n"
        f"To take it down:   make demo-down"
    )


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())

"""Step 3: callers come, and the world answers each prediction with what really happened."""

from demo.story.answers import answers
from demo.story.callers import start_client
from demo.story.prometheus import accuracy
from demo.story.stage import NAMESPACE, Stage
from demo.story.waiting import must

LEAST_RATE = 50
_MEASURED_OVER = 5.0


def start_observer(stage: Stage) -> None:
    """Let the observer watch, from before the first version to the end."""
    arguments = [f"--kubeconfig={stage.kubectl.kubeconfig}", f"--prometheus={stage.prometheus.url}", f"--out={stage.observer_record}"]
    if stage.cluster.audit_log is not None:
        arguments.append(f"--audit-log={stage.cluster.audit_log}")
    stage.companions.start("observer", "tests.observer", *arguments, f"--client-log={stage.client_log}")
    stage.tell("an independent observer watches the API server, its audit log, Prometheus and the client's log")


def start_traffic(stage: Stage) -> None:
    """Start the client and the outcomes, and return when both show."""
    start_client(stage)
    stage.companions.start("outcomes", "demo.story.outcomes", str(stage.kubectl.program), str(stage.kubectl.kubeconfig), NAMESPACE)
    measured = stage.wait("answers at full rate", lambda: _rate(stage), 60)
    must(measured >= LEAST_RATE, f"{measured:.1f} requests/s, {LEAST_RATE} were asked for")
    where = "in a Pod" if stage.calls_from_cluster else "on the node"
    stage.tell(f"a client {where} calls {measured:.0f} times a second, half on kept-alive and half on new connections, no retries")
    version = stage.versions[-1]
    right = stage.wait("the champion's accuracy in Prometheus", lambda: _known_accuracy(stage, version), 60)
    stage.tell(f"the outcome of each prediction is written as the seeded world has it: {version} is right in {right:.1%}")


def _rate(stage: Stage) -> tuple[float | None, str]:
    now = stage.now()
    counted = answers(stage.client_log, now - _MEASURED_OVER, now)
    must(not counted["failed"], f"{counted['failed']} requests failed; see {stage.client_log}")
    rate = counted.total() / _MEASURED_OVER
    return (rate if rate >= LEAST_RATE else None), f"{rate:.1f} answers/s"


def _known_accuracy(stage: Stage, version: str) -> tuple[float | None, str]:
    value = stage.prometheus.value(accuracy(NAMESPACE, version))
    return value, f"{value}"

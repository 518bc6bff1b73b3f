"""Step 4: the world changes, accuracy falls, an alert starts a run, and what it trains is promoted."""

import json
import time
from datetime import date, timedelta

from demo.story.answers import answers
from demo.story.first_version import holdout_days
from demo.story.kubectl import Manifest
from demo.story.prometheus import accuracy
from demo.story.runs import figures, follow, newest_run, trained
from demo.story.stage import NAMESPACE, SERVES_LABEL, VERSION_LABEL, ServingPod, Stage
from demo.story.trainer_jobs import run_trainer
from demo.story.waiting import must

FALLEN_BELOW = 0.7


def drift(stage: Stage) -> None:
    """Let the world drift and return when the version that learnt it has all the traffic."""
    let_the_world_drift(stage)
    cure(stage)


def cure(stage: Stage) -> None:
    """Return when an alert has started a run, and what it made has all the traffic."""
    champion = stage.versions[-1]
    run = await_alert(stage)
    name = run["metadata"]["name"]
    status = follow(stage, name, "training on the new data", trained, 240)
    stage.tell(f"the gate compares: {figures(status)}")
    version = status["result"]["version"]
    stage.versions.append(version)
    pods = canary_begins(stage, name, champion, version)
    promotion(stage, name, champion, version, pods)


def let_the_world_drift(stage: Stage) -> None:
    """Continue the world to today with another rule from the drift's first day on."""
    drifting = ("--append", f"--until={stage.today}", f"--concept-drift-from={stage.drift_from}", "--json")
    seeded = run_trainer(stage, "seed-drift", "seed", *drifting)
    world = json.loads(seeded.strip().splitlines()[-1])
    newest = date.fromisoformat(world["world"]["until"]) - timedelta(days=1)  # an outcome is known a day later
    held_out = newest - timedelta(days=holdout_days() - 1)
    must(held_out > stage.drift_from, f"the hold-out begins {held_out}, before the drift on {stage.drift_from}: it could not be learnt")
    before, since = world["rowsBeforeConceptDrift"], world["rowsSinceConceptDrift"]
    stage.tell(f"the world drifts from {stage.drift_from} on: {before} snapshots before, {since} since")
    stage.tell(f"the newest {holdout_days()} days are held out, from {held_out}: the drift is older than the hold-out and can be learnt")


def await_alert(stage: Stage) -> Manifest:
    """Return the run that the alert starts, by itself."""
    value = stage.wait("accuracy falls in Prometheus", lambda: _fallen(stage), 90)
    stage.tell(f"accuracy of the last half minute has fallen to {value:.1%}")
    stage.wait("the alert ModelDrift fires", lambda: _firing(stage), 60)
    fired = time.monotonic()
    stage.tell("Prometheus' rule fires; Alertmanager posts to the operator")
    run = stage.wait("a run by the alert", lambda: (newest_run(stage, "drift"), "no run with trigger drift"), 60)
    stage.tell(f"{run['metadata']['name']} was started by trigger drift, seen {time.monotonic() - fired:.1f} s after the alert was")
    return run


def canary_begins(stage: Stage, name: str, champion: str, version: str) -> dict[str, ServingPod]:
    """Return the candidate's Pods, by UID, as they are when it gets its first traffic."""
    follow(stage, name, "the first canary step", lambda status: _shared(stage) and "analysis" in status, 150)
    pods = stage.pods_of(version)
    ready, beside = sum(pod.ready for pod in pods), sum(pod.ready for pod in stage.pods_of(champion))
    must(ready > 0, f"{version} gets traffic without a ready pod")
    effective = 100 * ready / (ready + beside)
    asked = stage.run(name)["status"]["analysis"]["weight"]
    stage.tell(f"{version} gets its first traffic: asked {asked} %, effective {effective:.0f} % ({ready} of {ready + beside} ready pods)")
    return {pod.uid: pod for pod in pods}


def promotion(stage: Stage, name: str, champion: str, version: str, pods: dict[str, ServingPod]) -> None:
    """Return when the candidate has all the traffic; the Pods of its first step must be the same as then."""
    began = stage.now()
    first_step = stage.run(name)["status"]["analysis"]["step"]
    follow(stage, name, "the first step is judged", lambda status: status.get("analysis", {}).get("step", 0) > first_step, 120)
    counted = answers(stage.client_log, began)
    share = 100 * counted[version] / max(1, counted[version] + counted[champion])
    stage.tell(f"observed share of the candidate in the first step: {share:.0f} % of {counted.total()} requests")
    status = follow(stage, name, "promotion", lambda status: "promotedAt" in status, 150)
    must(stage.selector().get(VERSION_LABEL) == version, f"the Service selects {dict(stage.selector())}, not {version}")
    now = {pod.uid: pod for pod in stage.pods_of(version)}
    changed = [pod.name for uid, pod in pods.items() if uid not in now or now[uid].restarts != pod.restarts]
    must(not changed, f"promotion replaced or restarted {changed}")
    right = stage.prometheus.value(accuracy(NAMESPACE, version)) or 0.0
    stage.tell(f"promoted at {status['promotedAt']}: {version} has all the traffic and is right in {right:.1%}")
    stage.tell(f"same pods before and after: {', '.join(f'{pod.name} ({pod.uid[:8]}, {pod.restarts} restarts)' for pod in pods.values())}")


def _shared(stage: Stage) -> bool:
    return set(stage.selector()) == {SERVES_LABEL}


def _fallen(stage: Stage) -> tuple[float | None, str]:
    value = stage.prometheus.value(accuracy(NAMESPACE))
    return (value if value is not None and value < FALLEN_BELOW else None), f"accuracy {value}"


def _firing(stage: Stage) -> tuple[bool | None, str]:
    states = [alert["state"] for alert in stage.prometheus.alerts() if alert["labels"]["alertname"] == "ModelDrift"]
    return ("firing" in states) or None, f"states of ModelDrift: {states}"

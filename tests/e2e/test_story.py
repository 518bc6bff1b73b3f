"""The story in short form: first version, drift, a metric's drop, an alert, canary, promotion, and the way back of a bad candidate."""

import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from demo.story.bad_candidate import bad_candidate
from demo.story.closing import check_history, stop_client
from demo.story.drift import cure, let_the_world_drift
from demo.story.first_version import first_version
from demo.story.kubectl import Manifest
from demo.story.runs import finished, follow, newest_run
from demo.story.stage import NAMESPACE, POLICY, ROOT, Stage
from demo.story.traffic import start_traffic

IN_GIT: Final = ROOT / "demo/members/policy.yaml"
DROP: Final[dict[str, Any]] = {
    "name": "accuracy-drop",
    "metric": {"preset": "Accuracy", "maxDrop": 0.1, "window": "30s", "minSamples": 600},
    "data": {"holdout": "30d"},
}


@pytest.fixture(scope="module")
def told(stage: Stage) -> Iterator[Stage]:
    """A first version that serves callers whose outcomes become known."""
    with stage.timeline.step("a first version that serves"):
        first_version(stage)
        start_traffic(stage)
    yield stage
    stage.companions.end_if_there("client")
    stage.companions.end_if_there("outcomes")


def test_a_drop_of_the_live_accuracy_starts_a_run_by_itself_and_what_cannot_learn_the_drift_is_rejected_by_the_gate(told: Stage) -> None:
    """The monitor counts, Prometheus answers, and nobody tells the operator anything. The drift is younger than what is held out."""
    asks(told, [DROP])
    baseline = told.wait("the champion's baseline", lambda: baseline_of(told), 60)
    let_the_world_drift(told)
    run = told.wait("a run by the drop", lambda: (newest_run(told, DROP["name"]), "no run yet"), 90)
    [evidence] = run["spec"]["evidence"]
    told.tell(f"{run['metadata']['name']} was started by {DROP['name']}: {run['spec']['message']}; its baseline was {baseline:.3f}")
    assert evidence["value"] < evidence["threshold"] == pytest.approx(baseline - DROP["metric"]["maxDrop"])
    assert (run["spec"]["reason"], evidence["samples"] >= DROP["metric"]["minSamples"]) == ("ThresholdCrossed", True)

    status = follow(told, run["metadata"]["name"], "the gate", finished, 180)

    assert status["outcome"] == "GateRejected", status
    assert status["result"]["metrics"]["candidate"]["accuracy"] < 0.7
    asks(told, yaml.safe_load(IN_GIT.read_text())["spec"]["triggers"])


def asks(told: Stage, triggers: Sequence[Manifest]) -> None:
    """Let the policy have these triggers and no others."""
    changed = json.dumps({"spec": {"triggers": triggers}})
    told.kubectl("patch", "modelretrainpolicy", POLICY, f"--namespace={NAMESPACE}", "--type=merge", f"--patch={changed}")


def baseline_of(told: Stage) -> tuple[float | None, str]:
    champion = told.policy()["status"]["champion"]
    return next((float(one["value"]) for one in champion.get("baseline") or ()), None), f"champion {champion}"


def test_the_drift_is_noticed_by_itself_and_what_learnt_it_is_promoted_with_its_pods_as_they_are(told: Stage) -> None:
    cure(told)


def test_a_candidate_that_is_bad_through_its_live_data_alone_goes_back_by_one_write(told: Stage) -> None:
    bad_candidate(told)


def test_a_backtest_of_that_time_tells_when_the_drift_and_the_drop_would_have_started_a_run(told: Stage, tmp_path: Path) -> None:
    """What the policy in Git would have started when its alert began, and what it would have with the trigger that it had for a while."""
    runs = told.kubectl.items("mrr", f"--namespace={NAMESPACE}")
    alerts = [item["startsAt"] for run in runs for item in run["spec"].get("evidence", ()) if item["trigger"] == "drift"]
    then_one_is_near(backtested(told, IN_GIT, "drift"), alerts, timedelta(seconds=15))

    policy, file = yaml.safe_load(IN_GIT.read_text()), tmp_path / "policy.yaml"
    policy["spec"]["triggers"].append(DROP)
    file.write_text(yaml.safe_dump(policy))
    really = [run["metadata"]["creationTimestamp"] for run in runs if run["spec"]["trigger"] == DROP["name"]]
    then_one_is_near(backtested(told, file, DROP["name"]), really, timedelta(seconds=30))


def backtested(told: Stage, file: Path, trigger: str) -> list[datetime]:
    """Return when a trigger would have started runs, asked through the API server's proxy, with a kubeconfig and nothing else."""
    asked = ["--since=20m", "--step=1s", "--run-takes=10s", "--service=monitoring/prometheus:9090", "--output=json"]
    plugin = [sys.executable, "-m", "retrainer.cli", f"--kubeconfig={told.cluster.kubeconfig}", "backtest", str(file), *asked]
    done = subprocess.run(plugin, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout)
    return [datetime.fromisoformat(run["at"]) for run in answer["runs"] if run["trigger"] == trigger]


def then_one_is_near(started: Sequence[datetime], times: Sequence[str], by: timedelta) -> None:
    really = [datetime.fromisoformat(time) for time in times]
    assert any(abs(there - here) < by for there in really for here in started), (really, started)


def test_the_history_has_one_active_version_and_no_request_has_failed(told: Stage) -> None:
    check_history(told)
    stop_client(told)

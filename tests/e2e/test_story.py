"""The story in short form: first version, drift, alert, canary, promotion, and the way back of a bad candidate."""

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from demo.story.bad_candidate import bad_candidate
from demo.story.closing import check_history, stop_client
from demo.story.drift import cure, let_the_world_drift
from demo.story.first_version import first_version
from demo.story.runs import finished, follow
from demo.story.stage import NAMESPACE, POLICY, ROOT, Stage
from demo.story.traffic import start_traffic


@pytest.fixture(scope="module")
def told(stage: Stage) -> Iterator[Stage]:
    """A first version that serves callers whose outcomes become known."""
    with stage.timeline.step("a first version that serves"):
        first_version(stage)
        start_traffic(stage)
    yield stage
    stage.companions.end_if_there("client")
    stage.companions.end_if_there("outcomes")


def test_a_drift_younger_than_the_holdout_cannot_be_learnt_and_is_rejected_by_the_gate(told: Stage) -> None:
    let_the_world_drift(told)
    run = {
        "apiVersion": "retrainer.dev/v1alpha1",
        "kind": "ModelRetrainRun",
        "metadata": {"name": "long-holdout", "namespace": NAMESPACE},
        "spec": {"policyRef": {"name": POLICY}, "data": {"holdout": "30d"}},
    }
    told.kubectl("create", "--filename=-", stdin=json.dumps(run))
    status = follow(told, "long-holdout", "the gate", finished, 180)
    assert status["outcome"] == "GateRejected", status
    assert status["result"]["metrics"]["candidate"]["accuracy"] < 0.7


def test_the_drift_is_noticed_by_itself_and_what_learnt_it_is_promoted_with_its_pods_as_they_are(told: Stage) -> None:
    cure(told)


def test_a_candidate_that_is_bad_through_its_live_data_alone_goes_back_by_one_write(told: Stage) -> None:
    bad_candidate(told)


def test_a_backtest_of_that_time_tells_when_the_drift_would_have_started_a_run(told: Stage) -> None:
    """Asked through the API server's proxy of the Service, with a kubeconfig and nothing else."""
    policy = str(ROOT / "demo/members/policy.yaml")
    asked = ["backtest", policy, "--since=20m", "--step=1s", "--run-takes=10s", "--service=monitoring/prometheus:9090", "--output=json"]
    plugin = [sys.executable, "-m", "retrainer.cli", f"--kubeconfig={told.cluster.kubeconfig}", *asked]
    done = subprocess.run(plugin, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout)
    started = [datetime.fromisoformat(run["at"]) for run in answer["runs"] if run["trigger"] == "drift"]
    runs = told.kubectl.items("mrr", f"--namespace={NAMESPACE}")
    really = [datetime.fromisoformat(run["metadata"]["creationTimestamp"]) for run in runs if run["spec"]["trigger"] == "drift"]
    assert any(abs(there - here) < timedelta(seconds=15) for there in really for here in started), (really, started)


def test_the_history_has_one_active_version_and_no_request_has_failed(told: Stage) -> None:
    check_history(told)
    stop_client(told)

"""`kubectl retrain` as people run it, with the rights the chart's users have: kubectl finds it on the PATH."""

import asyncio
import base64
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from tests.cluster.local.cluster import LocalCluster
from tests.integration.account import Account
from tests.integration.stage import Stage
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer, trains

pytestmark = pytest.mark.asyncio(loop_scope="session")
EXAMPLE = Path(__file__).parents[2] / "docs/examples/quarterly.yaml"
# The kubelet mounts a service account there; a file system of the process's own is laid over it.
_WITH_ITS_ACCOUNT = (
    'mount -t tmpfs none /var/run && mkdir -p /var/run/secrets/kubernetes.io && cp -r "$0" /var/run/secrets/kubernetes.io && exec "$@"'
)
LOW = {"metrics": [{"name": "accuracy", "min": 0.95}], "onFailure": "RequireApproval"}


@pytest.fixture
def kubectl(control_plane: LocalCluster) -> "Kubectl":
    return Kubectl(control_plane)


class Kubectl:
    """Runs `kubectl retrain`; the answer is what it prints."""

    def __init__(self, cluster: LocalCluster) -> None:
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        self._environment = {"PATH": path, "KUBECONFIG": str(cluster.kubeconfig), "HOME": os.environ["HOME"], "COLUMNS": "240"}
        self._kubectl = str(cluster.binary("kubectl"))

    async def __call__(self, stage: Stage, *arguments: str) -> str:
        done = await self.ask(stage, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    async def json(self, stage: Stage, *arguments: str) -> Any:  # noqa: ANN401 - whatever it prints
        return json.loads(await self(stage, *arguments, "--output=json"))

    async def ask(self, stage: Stage, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [self._kubectl, "retrain", f"--namespace={stage.namespace}", *arguments]
        return await asyncio.to_thread(
            subprocess.run, command, env=self._environment, capture_output=True, text=True, check=False, timeout=60
        )


async def test_a_run_is_started_seen_approved_and_found_in_the_history(stage: Stage, kubectl: Kubectl) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(gate=LOW)
    await stage.then_run_is_in("churn-1", "AwaitingApproval")

    assert "churn-1 waits for a person: kubectl retrain approve churn-1" in await kubectl(stage, "explain", "churn")
    assert "churn-1: approve of" in await kubectl(stage, "approve", "churn")
    first = await stage.then_run_ends("churn-1", "Succeeded", "Promoted")
    version = first["status"]["version"]
    await stage.then(lambda: (stage.policy_status().get("champion") or {}).get("version") == version, f"the status names {version}")

    told = await kubectl(stage, "trigger", "churn", "--message", "new features", "--set", "epochs=7", "--data", "holdout=7d")
    name = told.split()[2]
    run = await stage.then_run_is_in(name, "AwaitingApproval")
    frozen = run["status"]["frozen"]["training"]
    assert (frozen["hyperparameters"]["epochs"], frozen["data"]["holdout"]) == (7, "7d")
    assert run["spec"]["message"] == "new features"
    assert "AwaitingApproval" in await kubectl(stage, "status", "churn")
    await kubectl(stage, "abort", name)
    await stage.then_run_ends(name, "Aborted")

    runs = {one["name"]: one["status"]["outcome"] for one in await kubectl.json(stage, "history", "churn")}
    assert runs == {"churn-1": "Succeeded", name: "Aborted"}
    assert "Gating" in await kubectl(stage, "history", name)
    [seen] = await kubectl.json(stage, "status")
    assert seen["status"]["champion"]["version"] == version


async def test_a_policy_is_paused_and_resumed_and_a_canary_promoted(stage: Stage, kubectl: Kubectl) -> None:
    champion = await stage.given_a_champion(rollout={"iterations": 100})
    await kubectl(stage, "pause", "churn")
    name = (await kubectl(stage, "trigger", "churn")).split()[2]
    await stage.then_run_is_in(name, "Pending", "Paused")
    assert "Paused" in await kubectl(stage, "explain", "churn")
    await kubectl(stage, "resume", "churn")
    run = await stage.then_run_is_in(name, "Canary", "Step1")
    assert run["status"]["version"] != champion
    await kubectl(stage, "promote", "churn")
    await stage.then_run_ends(name, "Succeeded")


async def test_an_earlier_version_is_found_and_brought_back(stage: Stage, kubectl: Kubectl) -> None:
    first = await stage.given_a_champion()
    assert "has no version to go back to" in (await kubectl.ask(stage, "rollback", "churn")).stderr
    name = (await kubectl(stage, "trigger", "churn", "--emergency", "a strike", "--max-weight", "20")).split()[2]
    run = await stage.then_run_is_in(name, "Watching")  # an emergency always watches
    assert run["spec"]["emergency"] == {"reason": "a strike", "maxWeight": 20}
    await stage.then_serves(run["status"]["version"])

    def kept() -> set[str]:
        return {one["version"] for one in stage.policy_status().get("versions") or ()}

    await stage.then(lambda: first in kept(), f"{first} is kept")
    outcomes = {one["version"]: one["outcome"] for one in await kubectl.json(stage, "versions", "churn")}
    assert outcomes == {first: "Served", run["status"]["version"]: "Serves"}
    refused = await kubectl.ask(stage, "rollback", "churn", "--to", "nothing")
    assert (refused.returncode, first in refused.stderr) == (1, True)
    await kubectl(stage, "rollback", "churn")
    await stage.then_serves(first)
    await stage.then_run_ends(name, "RolledBack", "RollbackAsked")


async def test_all_policies_with_a_label_are_retrained_by_one_command(stage: Stage, kubectl: Kubectl) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=trains(accuracy=0.9)))
    version = await stage.given_a_champion()
    await stage.api.patch("modelretrainpolicies", stage.namespace, "churn", {"metadata": {"labels": {"tier": "all"}}})
    assert "no policy matches" in await kubectl(stage, "trigger", "--selector", "tier=none")
    name = (await kubectl(stage, "trigger", "--selector", "tier=all", "--dry-run")).split()[2]
    await stage.then_run_ends(name, "DryRunPassed")
    assert stage.kubelet.trained == [version]


async def test_the_example_retrains_what_carries_its_label_with_the_rights_of_its_own_account(
    stage: Stage, account: Account, control_plane: LocalCluster, tmp_path: Path
) -> None:
    await stage.given_a_champion()
    other = {"deploymentRef": {"name": "load-api"}, "service": {"name": "load", "targetPort": stage.models.port}}
    await stage.given_a_policy("load", serving=other)
    await stage.api.patch("modelretrainpolicies", stage.namespace, "churn", {"metadata": {"labels": {"retrain": "quarterly"}}})
    account.kubectl("apply", f"--namespace={stage.namespace}", "--validate=strict", f"--filename={EXAMPLE}")
    [job] = [one for one in yaml.safe_load_all(EXAMPLE.read_text(encoding="utf-8")) if one["kind"] == "CronJob"]
    [container] = job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"]
    token = account.kubectl("create", "token", "quarterly-retraining", f"--namespace={stage.namespace}").strip()

    told = await asyncio.to_thread(in_a_pod, container["command"], control_plane.kubeconfig, stage.namespace, token, tmp_path)

    [run] = [one for one in stage.seen.all("modelretrainruns") if one["spec"].get("trigger") == "manual"]
    assert run["metadata"]["name"] in told
    assert (run["spec"]["policyRef"]["name"], run["spec"]["message"]) == ("churn", "the quarter's deep evaluation")
    await stage.then_run_ends(run["metadata"]["name"], "Succeeded")


def in_a_pod(command: Sequence[str], kubeconfig: Path, namespace: str, token: str, home: Path) -> str:
    """Return what a command prints that finds the API server as in a Pod: by its environment, and the files of its service account."""
    cluster = yaml.safe_load(kubeconfig.read_text(encoding="utf-8"))["clusters"][0]["cluster"]
    server, account = urlsplit(cluster["server"]), home / "serviceaccount"
    account.mkdir()
    (account / "ca.crt").write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    (account / "token").write_text(token, encoding="utf-8")
    (account / "namespace").write_text(namespace, encoding="utf-8")
    where = {"KUBERNETES_SERVICE_HOST": str(server.hostname), "KUBERNETES_SERVICE_PORT": str(server.port), "HOME": str(home)}
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    whole = ("unshare", *as_root, "--mount", "sh", "-c", _WITH_ITS_ACCOUNT, str(account), *command)
    done = subprocess.run(whole, env={"PATH": path, **where}, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


async def test_what_cannot_be_done_is_said_in_one_sentence_and_ends_with_1(stage: Stage, kubectl: Kubectl) -> None:
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.given_a_platform()
    await stage.given_a_policy()
    await stage.then_run_is_in("churn-1", "Training")
    refused = {
        ("status", "nobody"): f"no ModelRetrainPolicy nobody in namespace {stage.namespace}",
        ("approve", "churn-1"): "churn-1 is in Training, not in AwaitingApproval",
        ("approve", "churn"): "policy churn has no run in AwaitingApproval: churn-1 is in Training",
        ("--context=elsewhere", "status"): "Expected object with name elsewhere",
    }
    for arguments, sentence in refused.items():
        done = await kubectl.ask(stage, *arguments)
        assert (done.returncode, done.stdout) == (1, ""), arguments
        assert sentence in done.stderr
    done = await kubectl.ask(stage, "trigger")
    assert done.returncode == 2
    assert "name policies, or give --selector, or --all" in done.stderr

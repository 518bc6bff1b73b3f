"""Step 2: a policy is applied; there is no champion yet, so a first run trains one, and it serves."""

import json
import urllib.error
import urllib.request

import yaml

from demo.story import images
from demo.story.ground import GPU
from demo.story.kubectl import Manifest
from demo.story.reach import url_of
from demo.story.runs import figures, finished, follow, trained
from demo.story.stage import NAMESPACE, POLICY, PREDICTIONS, ROOT, SERVICE, VERSION_LABEL, Stage
from demo.story.waiting import must

_MEMBERS = ROOT / "demo/members"


def first_version(stage: Stage) -> None:
    """Apply the policy and return when its first version answers."""
    apply_members(stage)
    stage.tell(f"applied demo/members: Deployment, claim and ModelRetrainPolicy {POLICY}")
    name = f"{POLICY}-1"
    stage.wait(f"run {name}", lambda: (stage.run(name) or None, "no such run"), 30)
    status = follow(stage, name, "the first training", trained, 180)
    must(_asked_for_gpu(stage, name), f"the training Job of {name} asked for no {GPU}")
    stage.tell(f"the Job asked for {GPU}: 1; {figures(status)}")
    status = follow(stage, name, "the first version serves", finished, 120)
    must(status["outcome"] == "Succeeded", f"{name} ended {status['outcome']}/{status['reason']}: {status['message']}")
    version = status["version"]
    stage.versions.append(version)
    must(stage.selector().get(VERSION_LABEL) == version, f"the Service selects {dict(stage.selector())}, not {version}")
    answer = ask_once(url_of(stage.cluster, stage.kubectl, stage.companions, NAMESPACE, SERVICE))
    must(answer["modelVersion"] == version, f"{answer['modelVersion']} answered, not {version}")
    stage.tell(f"{version} serves with {len(stage.pods_of(version))} pods and answers: {json.dumps(answer)}")


def apply_members(stage: Stage) -> None:
    """Apply the tenant's files as they are in Git, with the image that was built here."""
    for name in ("models.yaml", "churn-risk-api.yaml", "policy.yaml"):
        stage.kubectl.apply((_MEMBERS / name).read_text().replace(images.RELEASED_TRAINER, images.TRAINER))


def holdout_days() -> int:
    """Return the days that the policy holds out."""
    policy = yaml.safe_load((_MEMBERS / "policy.yaml").read_text())
    return int(policy["spec"]["training"]["data"]["holdout"].removesuffix("d"))


def ask_once(url: str) -> Manifest:
    """Return one prediction's answer."""
    body, kind = b'{"memberId": "member-0001"}', {"Content-Type": "application/json"}
    request = urllib.request.Request(url + PREDICTIONS, body, kind)  # noqa: S310 - the URL is a Service's
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
        document: Manifest = json.load(answer)
    return document


def _asked_for_gpu(stage: Stage, run: str) -> bool:
    jobs = stage.kubectl.items("jobs", f"--namespace={NAMESPACE}", f"--selector=retrainer.dev/run={run},retrainer.dev/component=train")
    containers = [container for job in jobs for container in job["spec"]["template"]["spec"]["containers"]]
    return any(str(container.get("resources", {}).get("limits", {}).get(GPU)) == "1" for container in containers)

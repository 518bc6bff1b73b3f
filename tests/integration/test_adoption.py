"""A Deployment and a Service that already serve are adopted and handed back, and their owner's word over the selector holds."""

import asyncio
import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.integration import team
from tests.integration.account import Account
from tests.integration.audit import asked_at
from tests.integration.stage import Stage
from tests.integration.team import DEPLOYMENT, POLICY, SERVICE

pytestmark = pytest.mark.asyncio(loop_scope="session")

FOUND = {"app": DEPLOYMENT}
OURS = {"retrainer.dev/serves": SERVICE, "retrainer.dev/version": "adopted"}
PAGE = Path(__file__).parents[2] / "docs/adoption.md"


async def git_holds(stage: Stage, *, replicas: int, selector: bool) -> None:
    """Apply the Deployment and the Service as a team's repository has them."""
    await stage.api.apply("deployments", team.deployment(stage.namespace, replicas=replicas), manager="argocd-controller")
    service = team.service(stage.namespace, **(FOUND if selector else {}))
    service["metadata"]["labels"] = {"app.kubernetes.io/managed-by": "Helm"}
    await stage.api.apply("services", service, manager="argocd-controller")


async def given_what_serves(stage: Stage, **changes: Any) -> None:  # noqa: ANN401 - fields of the spec
    """Have a Deployment of two ready pods behind a Service, both from Git, and a policy that names them."""
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await git_holds(stage, replicas=2, selector=True)
    await stage.given_a_policy(**changes)


async def given_an_adopted_champion(stage: Stage, **changes: Any) -> None:  # noqa: ANN401 - fields of the spec
    """Have what serves adopted, and the template let go in Git."""
    await given_what_serves(stage, **changes)
    await stage.then_condition("Ready", "False", "SelectorOwnedByOther")
    await git_holds(stage, replicas=2, selector=False)
    await stage.then_condition("Ready", "True", "TemplateStillRunning")
    await git_holds(stage, replicas=0, selector=False)
    await stage.then_condition("Ready", "True", "Accepted")


async def promoted(stage: Stage) -> str:
    """Let a person start a run and approve what cannot be compared; return the version that then serves."""
    await stage.when_a_person_starts("first-of-ours")
    run = await stage.then_run_is_in("first-of-ours", "AwaitingApproval", "ChampionNotComparable")
    await stage.when_annotated("first-of-ours", approve=run["status"]["version"])
    ended = await stage.then_run_ends("first-of-ours", "Succeeded")
    return str(ended["status"]["version"])


async def test_what_serves_is_adopted_once_git_lets_the_selector_go(stage: Stage) -> None:
    await given_what_serves(stage)
    condition = await stage.then_condition("Ready", "False", "SelectorOwnedByOther")
    assert "owned by argocd-controller: delete `spec.selector` of Service churn in Git" in condition["message"]
    assert len(stage.pods_of("adopted")) == 2, "the adopted version is at full size before anything moves"
    assert stage.service()["spec"]["selector"] == FOUND
    template = stage.seen.one("deployments", DEPLOYMENT)
    adopted = stage.seen.one("deployments", f"{DEPLOYMENT}-adopted")
    assert template is not None
    assert adopted is not None
    assert adopted["spec"]["template"]["spec"] == template["spec"]["template"]["spec"], "the template is unchanged"

    await git_holds(stage, replicas=2, selector=False)
    condition = await stage.then_condition("Ready", "True", "TemplateStillRunning")
    assert "set its replicas to 0 in Git" in condition["message"]
    service = stage.service()
    assert service["spec"]["selector"] == OURS
    assert json.loads(service["metadata"]["annotations"]["retrainer.dev/found-selector"]) == FOUND
    assert service["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "Helm", "the owner's labels are the owner's"
    assert stage.policy_status()["champion"]["version"] == "adopted"
    assert stage.seen.all("modelretrainruns") == [], "what serves needs no first version"

    await git_holds(stage, replicas=0, selector=False)
    await stage.then_condition("Ready", "True", "Accepted")
    assert stage.service()["spec"]["selector"] == OURS, "Git and the operator leave each other's fields alone"


async def test_an_adopted_champion_cannot_be_compared_and_is_replaced_once_a_person_approves(stage: Stage) -> None:
    await given_an_adopted_champion(stage)
    version = await promoted(stage)
    await stage.then_serves(version)
    annotations = stage.service()["metadata"]["annotations"]
    assert annotations["retrainer.dev/previous"] == "adopted"
    assert json.loads(annotations["retrainer.dev/found-selector"]) == FOUND
    assert stage.kubelet.requests[-1]["champion"] == {"version": "adopted"}, "docs/trainer-contract.md"


async def test_the_end_of_the_policy_hands_the_service_back_in_one_write(stage: Stage) -> None:
    await given_an_adopted_champion(stage, deletionPolicy="HandBack")
    version = await promoted(stage)
    await stage.then(lambda: not stage.pods_of("adopted"), "the version before has left")
    before = stage.pods_of(version)
    began = len(await stage.audit.writes(stage.namespace, "services"))
    await stage.api.delete("modelretrainpolicies", stage.namespace, POLICY)

    await stage.then(lambda: stage.service()["spec"]["selector"] == FOUND, "the selector is as it was found")
    assert len(await stage.audit.writes(stage.namespace, "services")) == began + 1
    meta = stage.service()["metadata"]
    assert [mark for mark in (*meta["labels"], *meta.get("annotations", {})) if "retrainer" in mark] == []
    assert stage.pods_of(version) == before, "the champion's pods serve on behind the old selector"

    await git_holds(stage, replicas=2, selector=True)
    await stage.then(lambda: stage.seen.one("deployments", f"{DEPLOYMENT}-{version}") is None, "the last version goes")
    gone = (await stage.audit.writes(stage.namespace, "deployments"))[-1]
    labelled = [(pod, pod["metadata"]["labels"]) for pod in stage.seen.all("pods")]
    ready = [pod for pod, labels in labelled if FOUND.items() <= labels.items() and "retrainer.dev/version" not in labels]
    assert len(ready) == 2
    assert gone["verb"] == "delete"
    latest = max(one["lastTransitionTime"] for pod in ready for one in pod["status"]["conditions"] if one["type"] == "Ready")
    assert latest <= f"{asked_at(gone):%Y-%m-%dT%H:%M:%SZ}", "not before the Deployment that it was built from serves"


async def test_what_was_handed_back_is_adopted_again_once_its_owner_lets_the_selector_go_again(stage: Stage, account: Account) -> None:
    """The owner applies client-side: of a value that is there already it becomes no field manager."""

    async def owner_applies(selector: dict[str, str]) -> None:
        service = json.dumps(team.service(stage.namespace, **selector))
        await asyncio.to_thread(account.kubectl, "apply", "--filename=-", stdin=service)

    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await stage.api.apply("deployments", team.deployment(stage.namespace, replicas=2))
    for _ in range(2):
        await owner_applies(FOUND)
        await stage.given_a_policy(deletionPolicy="HandBack")
        condition = await stage.then_condition("Ready", "False", "SelectorOwnedByOther")
        assert "owned by kubectl" in condition["message"]
        assert stage.service()["spec"]["selector"] == FOUND, "it is left as it is"
        await owner_applies({})
        await stage.then_condition("Ready", "True", "TemplateStillRunning")
        assert stage.service()["spec"]["selector"] == OURS
        await stage.api.delete("modelretrainpolicies", stage.namespace, POLICY)
        await stage.then(lambda: stage.service()["spec"]["selector"] == FOUND, "the selector is as it was found")


async def test_the_end_of_the_policy_in_the_middle_of_a_canary_takes_the_candidate_before_the_service_is_handed_back(stage: Stage) -> None:
    stage.figures.of = lambda version: None
    await given_an_adopted_champion(stage, deletionPolicy="HandBack", rollout={"stepWeights": [50]})
    await stage.when_a_person_starts("candidate")
    run = await stage.then_run_is_in("candidate", "AwaitingApproval", "ChampionNotComparable")
    version = run["status"]["version"]
    await stage.when_annotated("candidate", approve=version)
    await stage.then(lambda: stage.service()["spec"]["selector"] == {"retrainer.dev/serves": SERVICE}, "the candidate shares the traffic")
    began = len(await stage.audit.writes(stage.namespace, "services"))
    await stage.api.delete("modelretrainpolicies", stage.namespace, POLICY)

    await stage.then(lambda: stage.service()["spec"]["selector"] == FOUND, "the selector is as it was found")
    alone, handed_back = (await stage.audit.writes(stage.namespace, "services"))[began:]
    [removed] = [one for one in await stage.audit.writes(stage.namespace, "deployments") if one["verb"] == "delete"]
    assert removed["objectRef"]["name"] == f"{DEPLOYMENT}-{version}"
    assert asked_at(alone) < asked_at(removed) < asked_at(handed_back), "the selector that was found would reach the candidate's pods"
    assert len(stage.pods_of("adopted")) == 2


async def test_a_policy_that_is_to_be_retained_leaves_everything_as_it_is(stage: Stage) -> None:
    await given_an_adopted_champion(stage)
    before = stage.service()
    await stage.api.delete("modelretrainpolicies", stage.namespace, POLICY)
    await stage.given_a_policy()
    await stage.then_condition("Ready", "True", "Accepted")
    after = stage.service()
    assert after["spec"] == before["spec"]
    assert after["metadata"]["annotations"] == before["metadata"]["annotations"]


async def test_the_line_in_the_documentation_hands_a_service_back_without_an_operator(stage: Stage, account: Account) -> None:
    await given_an_adopted_champion(stage)
    await stage.api.delete("modelretrainpolicies", stage.namespace, POLICY)
    line = re.search(r"^kubectl patch service .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert line is not None
    as_a_person = f'kubectl() {{ {shlex.join(account.command)} --namespace={stage.namespace} "$@"; }}'
    script = f"{as_a_person}\n{line.group().replace('churn-risk', SERVICE)}"
    await asyncio.to_thread(subprocess.run, ["bash", "-c", script], check=True, timeout=60)
    await stage.then(lambda: stage.service()["spec"]["selector"] == FOUND, "the selector is as it was found")

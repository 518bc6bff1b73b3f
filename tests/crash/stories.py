"""The stories that the operator is killed in. Each begins with a policy and goes on whatever happens to the operator meanwhile."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final

from tests.crash.routed import mode_change, routed
from tests.crash.steps import BAD, alerted, asked_back, first_version, is_heard, next_version, served, trained
from tests.integration import team
from tests.integration.stage import Stage
from tests.stand_ins.fake_trainer import HANGS, FakeTrainer
from tests.stand_ins.live_figures import Figures

FOUND: Final = {"app": team.DEPLOYMENT}
PAGED: Final = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift"}}}
URGENT: Final = {"name": "urgent", "priority": 80, "alert": {"matchLabels": {"alertname": "Outage"}}}


async def promotion(stage: Stage) -> None:
    """A first version, an alert, two canary steps, a promotion that a person approves, and a watch that ends well."""
    await first_version(stage, rollout={"stepWeights": [20, 50], "watch": {"duration": "2s"}})
    await stage.when_changed(rollout={"approval": {"required": "Always"}})
    version = await next_version(stage, "churn-2", "a1")
    await stage.then_run_is_in("churn-2", "AwaitingApproval")
    await stage.when_annotated("churn-2", approve=version)
    await stage.then_run_ends("churn-2", "Succeeded")


async def failed_canary(stage: Stage) -> None:
    """A candidate that errs in its canary."""
    champion = await first_version(stage, rollout={"stepWeights": [20]})
    stage.figures.of = lambda version: Figures() if version == champion else BAD
    await next_version(stage, "churn-2", "b1")
    await stage.then_run_ends("churn-2", "RolledBack", "AnalysisFailed")


async def failed_watch(stage: Stage) -> None:
    """A candidate that errs once it has all the traffic."""
    champion = await first_version(stage, rollout={"stepWeights": [], "watch": {"duration": "1h"}})
    stage.figures.of = lambda version: Figures() if version == champion else BAD
    await next_version(stage, "churn-2", "c1")
    await stage.then_run_ends("churn-2", "RolledBack", "RegressionInWatch")


async def named(stage: Stage) -> None:
    """A person asks for the version before while it is warm, and then, though nothing is wrong, for the one that had to go."""
    before = await first_version(stage, rollout={"stepWeights": [], "watch": {"duration": "1h"}})
    version = await next_version(stage, "churn-2", "e1")
    await stage.then_run_is_in("churn-2", "Watching")
    await asked_back(stage, before, "first")
    await stage.then_run_ends("churn-2", "RolledBack", "RollbackAsked")
    await stage.then(lambda: not stage.pods_of(version), "its pods have left")
    await stage.then(lambda: is_heard(stage, "churn-2"), "the Service is heard with the version before")
    await asked_back(stage, version, "second")
    await served(stage, "churn-3")


async def contention(stage: Stage) -> None:
    """A person's run trains; one that an alert asks for gives way to a more urgent one, which the gate rejects once the first is aborted.

    History is kept of one run beside the champion's, and the daily report is called off in the end.
    """
    await first_version(stage, runHistoryLimit=1, triggers=[PAGED, URGENT], report={})
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.when_a_person_starts("by-hand")
    await stage.then_run_is_in("by-hand", "Training")
    await alerted(stage, "d1")
    await stage.then_run_is_in("churn-2", "Pending")
    await alerted(stage, "d2", alertname="Outage")
    await stage.then_run_ends("churn-2", "Superseded")
    await stage.when_annotated("by-hand", abort="by-hand")
    await stage.then_run_ends("by-hand", "Aborted")
    await trained(stage, "churn-3", accuracy=0.5)
    await stage.then_run_ends("churn-3", "GateRejected")
    await stage.then(lambda: stage.seen.one("modelretrainruns", "churn-2") is None, "the older run is pruned")
    await stage.when_changed(report=None)


async def adoption(stage: Stage) -> None:
    """What serves already is taken over, and handed back with the end of its policy."""
    stage.kubelet.play(trainer=FakeTrainer(train=HANGS))
    await stage.api.create("persistentvolumeclaims", team.volume_claim(stage.namespace))
    await _git_holds(stage, replicas=2, selector=True)
    await stage.given_a_policy(deletionPolicy="HandBack")
    await stage.then_condition("Ready", "False", "SelectorOwnedByOther")
    await _git_holds(stage, replicas=2, selector=False)
    await stage.then_condition("Ready", "True", "TemplateStillRunning")
    await _git_holds(stage, replicas=0, selector=False)
    await stage.then_condition("Ready", "True", "Accepted")
    await stage.api.delete("modelretrainpolicies", stage.namespace, team.POLICY)
    await stage.then(lambda: stage.service()["spec"]["selector"] == FOUND, "the Service is handed back")
    await _git_holds(stage, replicas=2, selector=True)


async def _git_holds(stage: Stage, *, replicas: int, selector: bool) -> None:
    """Apply the Deployment and the Service as a team's repository has them."""
    await stage.api.apply("deployments", team.deployment(stage.namespace, replicas=replicas))
    await stage.api.apply("services", team.service(stage.namespace, **(FOUND if selector else {})))


Story = Callable[[Stage], Awaitable[None]]

STORIES: Final[Mapping[str, Story]] = {
    "promotion": promotion,
    "failed-canary": failed_canary,
    "failed-watch": failed_watch,
    "named": named,
    "contention": contention,
    "adoption": adoption,
    "routed": routed,
    "mode-change": mode_change,
}

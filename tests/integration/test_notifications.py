"""A team hears of its runs in its channel, and loses nothing but that when Slack is away."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.cluster.local.cluster import LocalCluster
from tests.integration.operator_process import OperatorProcess
from tests.integration.stage import Stage, Theatre, operated
from tests.stand_ins.live_figures import FakePrometheus
from tests.stand_ins.slack import FakeSlack, Message

pytestmark = pytest.mark.asyncio(loop_scope="session")

TOKEN = "xoxb-a-bots-secret"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def slack() -> AsyncIterator[FakeSlack]:
    slack = FakeSlack()
    await slack.start()
    yield slack
    await slack.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def theatre(
    control_plane: LocalCluster,
    operators_kubeconfig: Path,
    prometheus: FakePrometheus,
    slack: FakeSlack,
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[Theatre]:
    """Give an operator whose administrator has named a notifier; it tells all it can in its log."""
    home = tmp_path_factory.mktemp("operator")
    token = home / "slack-token"
    token.write_text(TOKEN, encoding="ascii")
    notifiers = json.dumps({"team-a": {"slack": {"channel": "#models", "tokenFile": str(token), "url": slack.url}}})
    operator = OperatorProcess(operators_kubeconfig, prometheus.url, home, notifiers=notifiers, log_level="debug")
    async with operated(control_plane, prometheus, operator) as theatre:
        yield theatre


async def test_a_run_is_one_thread_with_the_command_to_approve_in_it(stage: Stage, slack: FakeSlack) -> None:
    await stage.given_a_champion(notifications=[{"notifier": "team-a"}])
    await stage.when_changed(rollout={"approval": {"required": "Always"}})
    await stage.when_paged()
    run = await stage.then_run_is_in("churn-2", "AwaitingApproval")
    asks = await heard(stage, slack, "*AwaitingApproval*")
    assert asks.is_broadcast
    assert asks.text.endswith(f"`kubectl retrain --namespace {stage.namespace} approve churn-2`")
    await stage.when_annotated("churn-2", approve=run["status"]["version"])
    await stage.then_run_ends("churn-2", "Succeeded")
    done = await heard(stage, slack, "churn-2", "*Succeeded*")
    assert done.thread == asks.thread
    about = [one for one in slack.messages if asks.thread in {one.thread, one.ts}]
    told = [one.text.partition("*")[2].partition("*")[0] for one in about]
    timeline = (await stage.then_run_is_in("churn-2", "Finished"))["status"]["timeline"]
    entered = list(dict.fromkeys(entry["phase"] for entry in timeline))
    assert [phase for phase in told if phase in entered] == [phase for phase in entered if phase in told]
    assert {"Validating", "Canary", "AwaitingApproval", "Promoting", "Succeeded"} <= set(told)


async def test_with_slack_away_a_run_ends_as_ever_and_the_loss_is_counted(stage: Stage, slack: FakeSlack) -> None:
    slack.tokens = set()
    try:
        await stage.given_a_champion(notifications=[{"notifier": "team-a"}])
        async with asyncio.timeout(20):
            while await stage.operator.metric("retrainer_operator_notices_total", notifier="team-a", result="Failed") == 0:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    finally:
        slack.tokens = None


async def test_a_policy_that_names_an_unknown_notifier_says_so(stage: Stage) -> None:
    await stage.given_a_platform()
    await stage.given_a_policy(notifications=[{"notifier": "team-b"}])
    await stage.then_condition("Ready", "False", "NotifierUnknown")


async def test_the_token_is_in_no_log(stage: Stage, slack: FakeSlack) -> None:
    await stage.given_a_champion(notifications=[{"notifier": "team-a"}])
    await heard(stage, slack, "*Succeeded*")
    log = stage.operator.log.read_text(encoding="utf-8")
    assert "chat.postMessage" in log
    assert TOKEN not in log


async def heard(stage: Stage, slack: FakeSlack, *words: str) -> Message:
    """Return the first message about a namespace that holds these words."""
    async with asyncio.timeout(20):
        while True:
            found = [one for one in slack.messages if f"{stage.namespace}/" in one.text and all(word in one.text for word in words)]
            if found:
                return found[0]
            await asyncio.sleep(0.05)

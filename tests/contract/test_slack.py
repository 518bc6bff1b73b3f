"""What the Notifier port promises and what Slack sees of it, over a real socket."""

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from retrainer.adapters.slack import Channel, Slack
from retrainer.core.notice import Notice
from tests.builders import an_identity
from tests.stand_ins.slack import FakeSlack

TOKEN = "xoxb-a-bots-secret"


@pytest.fixture
async def workspace() -> AsyncIterator[FakeSlack]:
    workspace = FakeSlack()
    await workspace.start()
    yield workspace
    await workspace.stop()


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n", encoding="ascii")
    return path


@pytest.fixture
def counted() -> Counter[str]:
    return Counter()


@pytest.fixture
async def slack(workspace: FakeSlack, token: Path, counted: Counter[str]) -> AsyncIterator[Slack]:
    def count(_: str, result: str, notices: int) -> None:
        counted[result] += notices

    slack = Slack({"team-a": Channel("#models", token, workspace.url)}, count)
    yield slack
    await slack.close()


def a_notice(
    reason: str = "Training", run: str = "churn-2", message: str = "it trains", *, command: str = "", urgent: bool = False
) -> Notice:
    return Notice("team-a", an_identity("churn"), run, reason, message, command, urgent)


async def until(fact: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not fact():  # noqa: ASYNC110 - a server's
            await asyncio.sleep(0.01)


def test_it_knows_the_notifiers_that_were_named(slack: Slack) -> None:
    assert slack.knows("team-a")
    assert not slack.knows("team-b")


async def test_the_notices_of_a_run_are_one_thread_and_what_is_urgent_is_shown_in_the_channel(slack: Slack, workspace: FakeSlack) -> None:
    slack.start()
    for notice in (a_notice("Validating"), a_notice("Training"), a_notice("RolledBack", urgent=True), a_notice("Training", run="churn-3")):
        slack.tell(notice)
    await until(lambda: len(workspace.messages) == 4)
    first, second, third, other = workspace.messages
    assert {one.channel for one in workspace.messages} == {"#models"}
    assert (first.thread, second.thread, third.thread, other.thread) == ("", first.ts, first.ts, "")
    assert [one.is_broadcast for one in workspace.messages] == [False, False, True, False]


async def test_a_message_says_what_happened_to_what_and_makes_no_links_of_it(slack: Slack, workspace: FakeSlack) -> None:
    slack.start()
    slack.tell(a_notice("AwaitingApproval", message="<!channel> a & b", command="kubectl retrain approve churn-2", urgent=True))
    await until(lambda: bool(workspace.messages))
    text = workspace.messages[0].text
    assert text == ":warning: *AwaitingApproval* members/churn: &lt;!channel&gt; a &amp; b\n`kubectl retrain approve churn-2`"


async def test_many_notices_are_one_message_with_what_is_urgent_first(slack: Slack, workspace: FakeSlack, counted: Counter[str]) -> None:
    for number in range(30):
        slack.tell(a_notice(run=f"churn-{number}"))
    slack.tell(a_notice("RolledBack", message="it was worse", urgent=True))
    slack.start()
    await until(lambda: bool(workspace.messages))
    [only] = workspace.messages
    head, first, *_, last = only.text.splitlines()
    assert head == "*31 transitions*: 30 Training, 1 RolledBack"
    assert "it was worse" in first
    assert last == "and 21 more"
    assert counted == {"Sent": 31}


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_a_busy_slack_is_asked_again(slack: Slack, workspace: FakeSlack, counted: Counter[str], status: int) -> None:
    workspace.next_answers.extend([status, status])
    slack.start()
    slack.tell(a_notice())
    await until(lambda: bool(workspace.messages))
    assert counted == {"Sent": 1}


async def test_a_message_that_is_refused_is_counted_and_the_next_is_written_with_another_token(
    slack: Slack, workspace: FakeSlack, token: Path, counted: Counter[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    workspace.tokens = {"xoxb-another"}
    slack.start()
    slack.tell(a_notice())
    await until(lambda: counted["Failed"] == 1)
    assert "invalid_auth" in caplog.text
    token.write_text("xoxb-another", encoding="ascii")  # noqa: ASYNC240 - a file of this test
    while not counted["Sent"]:  # a token's file is looked at once a second
        slack.tell(a_notice())
        await asyncio.sleep(0.2)
    assert TOKEN not in caplog.text


async def test_no_slack_at_all_holds_nobody_up(workspace: FakeSlack, slack: Slack, counted: Counter[str]) -> None:
    await workspace.stop()
    slack.start()
    for number in range(1001):
        slack.tell(a_notice(run=f"churn-{number}"))
    assert counted == {"Dropped": 1}


def test_a_name_that_nobody_knows_is_told_nothing(slack: Slack, counted: Counter[str]) -> None:
    slack.tell(Notice("team-b", an_identity("churn"), "", "CircuitOpen", "", "", is_urgent=True))
    assert not counted

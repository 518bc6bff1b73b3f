"""What Alertmanager meets: the webhook on a real socket."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
from typing_extensions import override

from retrainer.adapters.alertmanager import PATH, AlertmanagerWebhook, WebhookBounds
from retrainer.adapters.token_file import TokenFile
from retrainer.core.alert import Alert
from retrainer.errors import Unavailable
from retrainer.ports import AlertIntake
from retrainer.server import Listener
from tests.fakes import FakeClock

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
BOUNDS = WebhookBounds(most_bytes=10_000, read_s=1.0, decide_s=1.0)


class Intake(AlertIntake):
    """Keeps what it received and says what the test tells it to; None says nothing at all."""

    def __init__(self) -> None:
        self.received: list[Alert] = []
        self.says: bool | Exception | None = True

    @override
    async def receive(self, alerts: Sequence[Alert]) -> bool:
        self.received += alerts
        if self.says is None:
            await asyncio.Event().wait()
        if isinstance(self.says, Exception):
            raise self.says
        return bool(self.says)


@dataclass
class Webhook:
    url: str
    intake: Intake
    token_file: Path
    session: aiohttp.ClientSession
    counted: Counter[str] = field(default_factory=Counter)

    async def post(self, body: object, authorization: str = "Bearer t0ken") -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        async with self.session.post(self.url, data=data, headers={"Authorization": authorization}) as response:
            return response.status, await response.text()


@pytest.fixture
async def webhook(tmp_path: Path) -> AsyncIterator[Webhook]:
    token_file = tmp_path / "token"
    token_file.write_text("t0ken\n")
    async with aiohttp.ClientSession() as session:
        webhook = Webhook("", Intake(), token_file, session)

        def count(result: str, alerts: int) -> None:
            webhook.counted[result] += alerts

        token = TokenFile(token_file, recheck_s=0)
        listener = Listener(AlertmanagerWebhook(webhook.intake, token, FakeClock(NOW), bounds=BOUNDS, observe=count).app(), 0, "127.0.0.1")
        await listener.start()
        webhook.url = f"http://127.0.0.1:{listener.port}{PATH}"
        yield webhook
        await listener.stop()


def alert(**changes: object) -> dict[str, object]:
    return {
        "status": "firing",
        "labels": {"namespace": "shop", "alertname": "ModelDrift"},
        "annotations": {"summary": "churn drifts"},
        "startsAt": "2026-11-23T12:58:00.123456789+01:00",
        "endsAt": "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus/graph",
        "fingerprint": "c0ffee0123456789",
    } | changes


def notification(*alerts: dict[str, object], **changes: object) -> dict[str, object]:
    return {
        "version": "4",
        "groupKey": '{}:{alertname="ModelDrift"}',
        "truncatedAlerts": 0,
        "status": "firing",
        "receiver": "retrainer",
        "groupLabels": {},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager",
        "alerts": list(alerts) or [alert()],
    } | changes


async def test_a_notification_is_handed_over_alert_by_alert(webhook: Webhook) -> None:
    body = notification(alert(), alert(fingerprint="beef", status="resolved", annotations={}))
    assert await webhook.post(body) == (200, "ok\n")
    labels = (("alertname", "ModelDrift"), ("namespace", "shop"))
    began = datetime(2026, 11, 23, 11, 58, 0, 123456, UTC)
    assert webhook.intake.received == [
        Alert("c0ffee0123456789", True, labels, began, NOW, "churn drifts"),
        Alert("beef", False, labels, began, NOW, ""),
    ]
    assert webhook.counted == {"accepted": 2}


@pytest.mark.parametrize("says", [False, None, Unavailable("the API server is away"), ZeroDivisionError("a defect")], ids=repr)
async def test_what_is_not_durable_is_asked_for_again(webhook: Webhook, says: bool | Exception | None) -> None:
    webhook.intake.says = says
    status, text = await webhook.post(notification())
    assert status == 503
    assert "durable" in text
    assert webhook.counted == {"deferred": 1}


@pytest.mark.parametrize("authorization", ["", "Bearer", "Bearer wrong", "Basic t0ken", "bearer t0ken", "Bearer tökén"])
async def test_who_does_not_show_the_token_is_turned_away(webhook: Webhook, authorization: str) -> None:
    status, _ = await webhook.post(notification(), authorization)
    assert status == 401
    assert not webhook.intake.received


async def test_a_replaced_token_counts_from_then_on(webhook: Webhook) -> None:
    assert (await webhook.post(notification()))[0] == 200
    webhook.token_file.write_text("another")
    assert (await webhook.post(notification()))[0] == 401
    assert (await webhook.post(notification(), "Bearer another"))[0] == 200


@pytest.mark.parametrize("content", [None, "", " \n"])
async def test_without_a_token_nobody_gets_in_and_the_alert_is_asked_for_again(webhook: Webhook, content: str | None) -> None:
    webhook.token_file.unlink()
    if content is not None:
        webhook.token_file.write_text(content)
    for authorization in ("Bearer", "Bearer ", "Bearer t0ken"):
        assert (await webhook.post(notification(), authorization))[0] == 503
    assert not webhook.intake.received


@pytest.mark.parametrize(
    ("body", "mistake"),
    [
        (b"", "body: Invalid JSON"),
        (b"{", "body: Invalid JSON"),
        (b"[]", "body: "),
        (b'{"version": "4", "alerts": ' + b"[" * 3000, "recursion limit exceeded"),
        (b"\xff\xfe", "body: Invalid JSON"),
        (notification(version="3"), "version: "),
        (notification(version=4), "version: "),
        (notification(alerts=[]), "alerts: "),
        (notification(alert(status="pending")), "alerts.0.status: "),
        (notification(alert(fingerprint="../x")), "alerts.0.fingerprint: "),
        (notification(alert(startsAt="yesterday")), "alerts.0.startsAt: "),
        (notification(alert(startsAt="2026-11-23T12:00:00")), "alerts.0.startsAt: "),
        (notification(alert(startsAt="0001-01-01T00:00:00+14:00")), "alerts.0.startsAt: "),
        (notification(alert(labels={"a": 1})), "alerts.0.labels.a: "),
    ],
)
async def test_what_is_malformed_is_told_where(webhook: Webhook, body: object, mistake: str) -> None:
    status, text = await webhook.post(body)
    assert status == 400
    assert mistake in text
    assert "yesterday" not in text
    assert not webhook.intake.received
    assert webhook.counted == {"malformed": 1}


async def test_what_is_too_large_is_not_read(webhook: Webhook) -> None:
    assert (await webhook.post(notification(alert(annotations={"summary": "x" * 20_000}))))[0] == 413
    assert not webhook.intake.received


async def test_unknown_fields_are_ignored(webhook: Webhook) -> None:
    assert (await webhook.post(notification(alert(news=[1]), more={"a": 1})))[0] == 200


async def test_an_alert_from_the_future_keeps_its_start_and_is_counted(webhook: Webhook) -> None:
    start = NOW + timedelta(minutes=6)
    assert (await webhook.post(notification(alert(startsAt=start.isoformat()), alert())))[0] == 200
    assert webhook.intake.received[0].starts_at == start
    assert webhook.counted == {"future": 1, "accepted": 2}


async def test_a_long_message_is_cut(webhook: Webhook) -> None:
    await webhook.post(notification(alert(annotations={"description": "x" * 5_000})))
    assert webhook.intake.received[0].message == "x" * 1024


async def test_a_request_that_never_ends_is_given_up(webhook: Webhook) -> None:
    async def trickle() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    headers = {"Authorization": "Bearer t0ken"}
    async with webhook.session.post(webhook.url, data=trickle(), headers=headers) as response:
        assert response.status == 503


async def test_only_posts_to_the_one_path_are_answered(webhook: Webhook) -> None:
    async with webhook.session.get(webhook.url) as response:
        assert response.status == 405
    async with webhook.session.post(webhook.url + "/x") as response:
        assert response.status == 404

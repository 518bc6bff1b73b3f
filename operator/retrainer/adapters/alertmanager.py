"""The webhook that Alertmanager calls: who asks, what it says, and whether what came of it is durable.

Alertmanager repeats a notification that is answered with 5xx and drops one that is answered with 4xx. Hence 503 for everything that may
pass, 4xx only for what can never be accepted, and never 429, which it counts among the 4xx.
"""

import asyncio
import hmac
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from aiohttp import web
from pydantic import ValidationError

from retrainer.adapters.alertmanager_payload import Notification
from retrainer.adapters.token_file import TokenFile
from retrainer.core.alert import Alert
from retrainer.errors import RetrainerError
from retrainer.ports import AlertIntake, Clock

PATH = "/api/v1/alerts"

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class WebhookBounds:
    """What one notification may cost: 8 s in all, below the 10 s that Alertmanager waits at its shortest group interval."""

    most_bytes: int = 1024 * 1024
    read_s: float = 2.0
    decide_s: float = 6.0
    most_future: timedelta = timedelta(minutes=5)


class AlertmanagerWebhook:
    """Alertmanager's receiver on a port of its own. `observe` is told each notification's result and how many alerts it held."""

    def __init__(
        self,
        intake: AlertIntake,
        token: TokenFile,
        clock: Clock,
        *,
        bounds: WebhookBounds | None = None,
        observe: Callable[[str, int], None] = lambda *_: None,
    ) -> None:
        self._intake = intake
        self._token = token
        self._clock = clock
        self._bounds = bounds or WebhookBounds()
        self._observe = observe

    def app(self) -> web.Application:
        """Return the one route, to be served by `server.Listener`."""
        app = web.Application(client_max_size=self._bounds.most_bytes)
        app.router.add_post(PATH, self._receive)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        token = await self._token.read()
        if not token:
            _logger.error("the webhook's token file is missing or empty: no alert can be accepted")
            return self._answer("unavailable", 0, 503, "no token is configured")
        if not hmac.compare_digest(request.headers.get("Authorization", "").encode(), f"Bearer {token}".encode()):
            return self._answer("unauthorized", 0, 401, "a valid bearer token is needed", {"WWW-Authenticate": "Bearer"})
        try:
            async with asyncio.timeout(self._bounds.read_s):
                body = await request.read()
            notification = Notification.model_validate_json(body)
        except TimeoutError:
            return self._answer("unavailable", 0, 503, f"no whole request within {self._bounds.read_s:g} s")
        except web.HTTPRequestEntityTooLarge:
            return self._answer("malformed", 0, 413, f"more than {self._bounds.most_bytes} bytes")
        except ValidationError as error:
            return self._answer("malformed", 0, 400, _explained(error))
        return await self._hand_over(notification)

    async def _hand_over(self, notification: Notification) -> web.Response:
        alerts = notification.alerts_received(self._clock.now())
        self._report_future(alerts)
        try:
            async with asyncio.timeout(self._bounds.decide_s):
                durable = await self._intake.receive(alerts)
        except TimeoutError:
            return self._answer("deferred", len(alerts), 503, f"no durable outcome within {self._bounds.decide_s:g} s")
        except RetrainerError as error:
            _logger.warning("alerts could not be taken in: %s", error)
            durable = False
        except Exception:
            _logger.exception("alerts could not be taken in")
            durable = False
        if not durable:
            return self._answer("deferred", len(alerts), 503, "the outcome is not durable yet")
        return self._answer("accepted", len(alerts), 200, "ok")

    def _report_future(self, alerts: Sequence[Alert]) -> None:
        """Count alerts from the future and pass them on as they are.

        Their start is half of what tells one episode from the next: clamped to now it would be another one with each repeat, and a 4xx
        would drop the good alerts of the group with them. It does no harm: an episode starts one run, whenever it claims to have begun.
        """
        ahead = sum(alert.starts_at - alert.received_at > self._bounds.most_future for alert in alerts)
        if ahead:
            self._observe("future", ahead)
            _logger.warning("%d of %d alerts began in the future: is the clock of Prometheus right?", ahead, len(alerts))

    def _answer(self, result: str, alerts: int, status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
        self._observe(result, max(1, alerts))
        return web.Response(status=status, text=text + "\n", headers=headers)


def _explained(error: ValidationError) -> str:
    """Return the first few mistakes and where they are, without what was sent."""
    mistakes = error.errors(include_url=False, include_input=False, include_context=False)[:5]
    return "; ".join(f"{'.'.join(map(str, mistake['loc'])) or 'body'}: {mistake['msg']}" for mistake in mistakes)

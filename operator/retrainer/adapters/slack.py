"""`Notifier` on Slack: one message a notice, one thread a run. What becomes of a message is counted and logged, and nothing else."""

import asyncio
import html
import logging
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import aiohttp
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient
from typing_extensions import override

from retrainer.adapters.token_file import TokenFile
from retrainer.core.identity import Identity
from retrainer.core.notice import Notice
from retrainer.ports import Notifier

_logger = logging.getLogger(__name__)
_TIMEOUT_S: Final = 10
_RETRIES: Final = 3
_WAITING: Final = 1000
"""Notices that may wait for a channel; one more is dropped."""
_FOLDED_FROM: Final = 10
"""So many notices that wait for a channel go out as one message: Slack takes about one a second."""
_SHOWN: Final = 10
_THREADS: Final = 1000

Observe = Callable[[str, str, int], None]
"""Told the notifier, what became of notices (`Sent`, `Failed`, `Dropped`), and of how many."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Where a notifier writes to: the channel's name or ID, the file with the bot's token, and Slack's API."""

    channel: str
    token_file: Path
    url: str


class Slack(Notifier):
    """Every notifier has a queue and a task of its own; `start` and `close` inside the event loop."""

    def __init__(self, channels: Mapping[str, Channel], observe: Observe) -> None:
        self._writers = {name: _Writer(name, channel, observe) for name, channel in channels.items()}
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Write from now on."""
        self._tasks = [asyncio.create_task(writer.write()) for writer in self._writers.values()]

    async def close(self) -> None:
        """Write no more; what waits is lost, as an Event would be."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    @override
    def knows(self, name: str) -> bool:
        return name in self._writers

    @override
    def tell(self, notice: Notice) -> None:
        if (writer := self._writers.get(notice.notifier)) is not None:  # a name that is taken away makes the policy not accepted
            writer.take(notice)


class _Writer:
    def __init__(self, name: str, channel: Channel, observe: Observe) -> None:
        self._name = name
        self._channel = channel.channel
        self._token = TokenFile(channel.token_file)
        self._observe = observe
        self._waiting: deque[Notice] = deque()
        self._arrived = asyncio.Event()
        self._threads: OrderedDict[tuple[str, str], str] = OrderedDict()
        handlers: tuple[type[AsyncRetryHandler], ...] = (
            AsyncRateLimitErrorRetryHandler,
            AsyncServerErrorRetryHandler,
            AsyncConnectionErrorRetryHandler,
        )
        retries = [handler(max_retry_count=_RETRIES) for handler in handlers]
        self._client = AsyncWebClient(base_url=channel.url, timeout=_TIMEOUT_S, retry_handlers=retries)

    def take(self, notice: Notice) -> None:
        """Let a notice wait to be written."""
        if len(self._waiting) >= _WAITING:
            self._observe(self._name, "Dropped", 1)
            return
        self._waiting.append(notice)
        self._arrived.set()

    async def write(self) -> None:
        """Write what waits, in order, for as long as the operator runs."""
        while True:
            await self._arrived.wait()
            if len(self._waiting) < _FOLDED_FROM:
                await self._write_one(self._waiting.popleft())
            else:
                await self._write_folded(list(self._waiting))
            if not self._waiting:
                self._arrived.clear()

    async def _write_one(self, notice: Notice) -> None:
        """Write into the run's thread; what is urgent is shown in the channel as well."""
        key = (notice.policy.namespace, notice.run)
        thread = self._threads.get(key) if notice.run else None
        written = await self._post(text_of(notice), 1, thread, broadcast=notice.is_urgent and thread is not None)
        if notice.run and thread is None and written is not None:
            self._threads[key] = written
            if len(self._threads) > _THREADS:
                self._threads.popitem(last=False)

    async def _write_folded(self, notices: Sequence[Notice]) -> None:
        self._waiting.clear()
        await self._post(folded(notices), len(notices))

    async def _post(self, text: str, notices: int, thread: str | None = None, *, broadcast: bool = False) -> str | None:
        """Return the message's timestamp, which is its name; None where it could not be written."""
        self._client.token = await self._token.read()
        try:
            answer = await self._client.chat_postMessage(
                channel=self._channel, text=text, thread_ts=thread, reply_broadcast=broadcast or None, unfurl_links=False
            )
        except (SlackClientError, aiohttp.ClientError, OSError, TimeoutError) as error:
            self._observe(self._name, "Failed", notices)
            _logger.warning("notifier %s: %d notices were lost: %s", self._name, notices, _why(error))
            return None
        self._observe(self._name, "Sent", notices)
        return str(answer["ts"])


def text_of(notice: Notice) -> str:
    """Return a notice as Slack's markup, in which `&`, `<` and `>` would otherwise be links and mentions."""
    mark = ":warning: " if notice.is_urgent else ""
    told = f"{mark}*{_plain(notice.reason)}* {_of(notice.policy)}: {_plain(notice.message)}"
    return told + (f"\n`{_plain(notice.command)}`" if notice.command else "")


def folded(notices: Sequence[Notice]) -> str:
    """Return many notices as one message: how many of what, and those that are urgent first."""
    counted = ", ".join(f"{count} {_plain(reason)}" for reason, count in Counter(one.reason for one in notices).most_common())
    shown = sorted(notices, key=lambda one: not one.is_urgent)[:_SHOWN]
    left = len(notices) - len(shown)
    return "\n".join([f"*{len(notices)} transitions*: {counted}", *map(text_of, shown), *([f"and {left} more"] if left else [])])


def _of(policy: Identity) -> str:
    return f"{policy.namespace}/{policy.name}"


def _plain(text: str) -> str:
    return html.escape(text, quote=False)


def _why(error: Exception) -> str:
    """Say what went wrong in Slack's word for it, or the exception's name: neither holds an address or a token."""
    return str(error.response["error"]) if isinstance(error, SlackApiError) and "error" in error.response.data else type(error).__name__

"""Slack's `chat.postMessage`: it keeps what was written, and answers as a test says."""

from collections import deque
from dataclasses import dataclass

from aiohttp import web

from retrainer.server import Listener


@dataclass(frozen=True, slots=True)
class Message:
    """A message as it came."""

    token: str
    channel: str
    text: str
    thread: str
    is_broadcast: bool
    ts: str


class FakeSlack:
    """One workspace; `next_answers` are the HTTP statuses of the next requests, of which only those with 200 are kept."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_post("/api/chat.postMessage", self._post)
        self._listener = Listener(app, 0, "127.0.0.1")
        self.messages: list[Message] = []
        self.next_answers: deque[int] = deque()
        self.tokens: set[str] | None = None
        """The tokens that are accepted; all where this is None."""

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self._listener.port}/api/"

    async def start(self) -> None:
        """Begin to answer."""
        await self._listener.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._listener.stop()

    async def _post(self, request: web.Request) -> web.Response:
        status = self.next_answers.popleft() if self.next_answers else 200
        if status != 200:
            return web.json_response({"ok": False, "error": "ratelimited"}, status=status, headers={"Retry-After": "0"})
        said = await request.json()
        token = request.headers["Authorization"].removeprefix("Bearer ")
        if self.tokens is not None and token not in self.tokens:
            return web.json_response({"ok": False, "error": "invalid_auth"})
        ts = f"1764000000.{len(self.messages):06d}"
        thread, broadcast = str(said.get("thread_ts") or ""), bool(said.get("reply_broadcast"))
        self.messages.append(Message(token, said["channel"], said["text"], thread, broadcast, ts))
        return web.json_response({"ok": True, "ts": ts, "channel": said["channel"]})

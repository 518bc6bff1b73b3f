"""Tells real pods what becomes of their containers: each asks over HTTP, and ends as its namespace's script says."""

import asyncio
import json
from typing import Final

from aiohttp import web

from retrainer.core.naming import VERSION
from retrainer.server import Listener
from tests.crash.actor.actor import PROMPTER_PORT
from tests.stand_ins.api import Manifest
from tests.stand_ins.fake_trainer import Ended
from tests.stand_ins.mirror import Mirror
from tests.stand_ins.script import Script

_GONE: Final = 410


class PodScript(Script):
    """The script of one namespace, whose pods are real."""

    def __init__(self, seen: Mirror) -> None:
        super().__init__()
        self._seen = seen
        self._met: set[str] = set()

    def start(self) -> None:
        """Look at every pod from now on."""
        self._seen.listen(self._look)

    async def stop(self) -> None:
        """Nothing of it runs."""

    def versions(self) -> set[str]:
        """Return the versions that have a ready pod, or had one."""
        return self._met

    def _look(self, resource: str, pod: Manifest) -> None:
        if resource == "pods" and VERSION in (labels := pod["metadata"].get("labels") or {}):
            conditions = (pod.get("status") or {}).get("conditions") or ()
            if any((one["type"], one["status"]) == ("Ready", "True") for one in conditions):
                self._met.add(labels[VERSION])


class Prompter:
    """One for all namespaces; to a pod it is at the address of its node."""

    def __init__(self) -> None:
        self.scripts: dict[str, PodScript] = {}
        app = web.Application()
        app.router.add_post("/", self._answer)
        self._listener = Listener(app, PROMPTER_PORT, "0.0.0.0")

    async def start(self) -> None:
        """Answer from now on."""
        await self._listener.start()

    async def stop(self) -> None:
        """Answer no more."""
        await self._listener.stop()

    async def _answer(self, request: web.Request) -> web.Response:
        asked = await request.json()
        script = self.scripts[asked["namespace"]]
        async for answer in script.answers(asked):
            if isinstance(answer, Ended):
                await asyncio.sleep(answer.after)
                if request.transport is None:  # the pod was deleted while it waited
                    break
                script.ended(asked, answer)
                return web.Response(text=json.dumps({"exitCode": answer.exit_code, "message": answer.kept_message}))
        return web.Response(status=_GONE)

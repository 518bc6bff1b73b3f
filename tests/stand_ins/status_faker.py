"""Plays the kubelet where there is no node: the pods that the controller manager made get the statuses a kubelet would report.

What runs in a pod is played by `FakeTrainer` and `ModelServer`. Pods never get a node, so the API server deletes them at once.
"""

import asyncio
import json
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
from typing_extensions import override

from tests.stand_ins.api import Api, ApiError, Manifest
from tests.stand_ins.fake_trainer import Ended, FakeTrainer, Request, Waits
from tests.stand_ins.mirror import Mirror
from tests.stand_ins.model_server import ModelServer
from tests.stand_ins.script import Script

COMPONENT: Final = "retrainer.dev/component"
VERSION: Final = "retrainer.dev/version"
TEMPLATE: Final = "template"
"""What a pod plays that is not the operator's: one of the Deployment that versions are built from."""
_RETRY_S: Final = 0.2


class StatusFaker(Script):
    """The kubelet of one namespace; `play` changes what it plays, for every pod that has not ended."""

    def __init__(self, api: Api, mirror: Mirror, models: ModelServer) -> None:
        super().__init__()
        self._api = api
        self._mirror = mirror
        self._models = models
        self._lives: dict[str, asyncio.Task[None]] = {}
        self._ready: Counter[str] = Counter()
        self.admits: Callable[[str, int], bool] = lambda version, ready: True
        """Whether one more pod of a version becomes ready beside so many that are."""

    def start(self) -> None:
        """Look at every pod from now on."""
        self._mirror.listen(self._seen)

    async def stop(self) -> None:
        """Look at no pod any more."""
        for life in self._lives.values():
            life.cancel()
        await asyncio.gather(*self._lives.values(), return_exceptions=True)

    @override
    def play(self, *, trainer: FakeTrainer | None = None, admits: Callable[[str, int], bool] | None = None) -> None:
        """Go on with another script."""
        self.admits = admits or self.admits
        super().play(trainer=trainer)

    def versions(self) -> set[str]:
        """Return the versions that have a ready pod, or had one."""
        return set(self._ready)

    def _seen(self, resource: str, pod: Manifest) -> None:
        if resource != "pods":
            return
        uid, component = pod["metadata"]["uid"], (pod["metadata"].get("labels") or {}).get(COMPONENT, TEMPLATE)
        if "deletionTimestamp" in pod["metadata"]:
            if (life := self._lives.get(uid)) is not None:
                life.cancel()
        elif uid not in self._lives and component in {"validate", "train", "serve", TEMPLATE}:
            serves = component in {"serve", TEMPLATE}
            self._lives[uid] = asyncio.create_task(self._serve(pod) if serves else self._work(pod))

    async def _work(self, pod: Manifest) -> None:
        """Play a training pod until its container ends."""
        request = _request(pod)
        async for answer in self.answers(request):
            await self._report(pod, _unscheduled(answer.message) if isinstance(answer, Waits) else _running(pod))
            if isinstance(answer, Ended):
                await asyncio.sleep(answer.after)
                self.ended(request, answer)
                await self._report(pod, _ended(pod, answer))

    async def _serve(self, pod: Manifest) -> None:
        """Play a serving pod until it is deleted."""
        version = pod["metadata"]["labels"].get(VERSION, TEMPLATE)
        address = self._models.give_address(version)
        while True:
            another = self.another
            if self.admits(version, self._ready[version]):
                break
            await self._report(pod, _running(pod, address))
            await another.wait()
        self._ready[version] += 1
        try:
            await self._report(pod, _running(pod, address, ready=True))
            await asyncio.Event().wait()
        finally:
            self._ready[version] -= 1

    async def _report(self, pod: Manifest, status: Manifest) -> None:
        """Patch the pod's status; an API server that is away is asked again, a pod that is gone needs no status."""
        meta = pod["metadata"]
        while True:
            try:
                await self._api.patch("pods", meta["namespace"], meta["name"], {"status": status}, subresource="status")
            except ApiError as error:
                if error.status in {404, 409}:
                    return
                raise
            except (aiohttp.ClientError, OSError):
                await asyncio.sleep(_RETRY_S)
            else:
                return


def _request(pod: Manifest) -> Request:
    environment = {entry["name"]: entry.get("value", "") for entry in pod["spec"]["containers"][0]["env"]}
    decoded: Request = json.loads(environment["RETRAIN_REQUEST"])
    return decoded


def _unscheduled(message: str) -> Manifest:
    return {"conditions": [_condition("PodScheduled", holds=False) | {"reason": "Unschedulable", "message": message}]}


def _running(pod: Manifest, address: str = "", *, ready: bool = False) -> Manifest:
    state = {"running": {"startedAt": _now()}}
    status = {"phase": "Running", "startTime": _now(), "containerStatuses": _containers(pod, state, ready=ready)}
    addresses = {"podIP": address, "podIPs": [{"ip": address}]} if address else {}
    return status | addresses | {"conditions": _conditions(ready=ready)}


def _ended(pod: Manifest, how: Ended) -> Manifest:
    good = how.exit_code == 0 and not how.pod_reason
    ended = {"exitCode": how.exit_code, "reason": "Completed" if how.exit_code == 0 else "Error", "finishedAt": _now(), "startedAt": _now()}
    state = {"terminated": ended | {"message": how.kept_message}}
    told = {"reason": how.pod_reason} if how.pod_reason else {}
    phase = "Succeeded" if good else "Failed"
    return {"phase": phase, "containerStatuses": _containers(pod, state, ready=False), "conditions": _conditions(ready=False)} | told


def _containers(pod: Manifest, state: Manifest, *, ready: bool) -> list[Manifest]:
    common: dict[str, Any] = {"ready": ready, "restartCount": 0, "imageID": "", "state": state}
    return [common | {"name": container["name"], "image": container["image"]} for container in pod["spec"]["containers"]]


def _conditions(*, ready: bool) -> list[Manifest]:
    always = [_condition(kind, holds=True) for kind in ("PodScheduled", "Initialized")]
    return always + [_condition(kind, holds=ready) for kind in ("ContainersReady", "Ready")]


def _condition(kind: str, *, holds: bool) -> Manifest:
    return {"type": kind, "status": str(holds), "lastTransitionTime": _now()}


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"

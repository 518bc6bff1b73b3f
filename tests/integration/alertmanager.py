"""Two real Alertmanagers that know each other, as a highly available installation has them, and the way between them and the operator."""

import asyncio
import json
import os
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import aiohttp
import yaml
from aiohttp import web

from retrainer.server import Listener
from tests.cluster.cache import cache_root, locked
from tests.cluster.commands import run
from tests.cluster.interface import ClusterError
from tests.integration.operator_process import TOKEN, free_ports

_PROGRAMS: Final = ("alertmanager", "prometheus-alertmanager")
_PACKAGE: Final = "prometheus-alertmanager"


# Debian's program reads its templates under /usr/share: ours are laid over it for the one process, and nothing is installed.
_WITH_ITS_SHARE: Final = 'mount --bind "$0/usr/share" /usr/share && exec "$0/usr/bin/prometheus-alertmanager" "$@"'


def command() -> tuple[str, ...]:
    """Return how to run this machine's Alertmanager, else Debian's, which is unpacked into the cache."""
    found = next((path for name in _PROGRAMS if (path := shutil.which(name))), None)
    if found is not None:
        return (found,)
    place = cache_root() / "alertmanager"
    with locked("unpacking Alertmanager"):
        if not (place / "usr/bin" / _PACKAGE).is_file():
            place.mkdir(parents=True, exist_ok=True)
            try:
                run(["apt-get", "-qq", "download", _PACKAGE], cwd=place)
            except ClusterError:  # there are no package lists yet
                run(["apt-get", "-qq", "update"])
                run(["apt-get", "-qq", "download", _PACKAGE], cwd=place)
            run(["dpkg-deb", "--extract", *place.glob("*.deb"), place])
    as_root = () if os.geteuid() == 0 else ("--map-root-user",)
    return ("unshare", *as_root, "--mount", "sh", "-c", _WITH_ITS_SHARE, str(place))


class Way:
    """What lies between Alertmanager and the operator: passes notifications on, and answers the next `refusals` with 503 itself."""

    def __init__(self, operator: str) -> None:
        self._operator = operator
        self._session = aiohttp.ClientSession()
        app = web.Application(client_max_size=2**22)
        app.router.add_post("/", self._pass_on)
        self._listener = Listener(app, 0, "127.0.0.1")
        self.refusals = 0
        self.answers: Counter[int] = Counter()
        """How often each status has been answered."""
        self.told: Counter[tuple[str, str]] = Counter()
        """How often an episode's fingerprint was told with an answer of 200, by the instance that told it."""

    async def start(self) -> str:
        """Begin to pass on and return where."""
        await self._listener.start()
        return f"http://127.0.0.1:{self._listener.port}/"

    async def stop(self) -> None:
        """Pass on no more."""
        await self._session.close()
        await self._listener.stop()

    async def _pass_on(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self.refusals > 0:
            self.refusals -= 1
            status = 503
        else:
            headers = {"Authorization": request.headers["Authorization"], "Content-Type": "application/json"}
            async with self._session.post(self._operator, data=body, headers=headers) as answer:
                status = answer.status
        self.answers[status] += 1
        if status == 200:
            notification = json.loads(body)
            self.told.update((notification["externalURL"], alert["fingerprint"]) for alert in notification["alerts"])
        return web.Response(status=status)


class AlertmanagerPair:
    """Two instances in one cluster. They notify at the same moment: what one tells, the other tells too."""

    def __init__(self, home: Path, receiver: str) -> None:
        self._home = home
        config = home / "alertmanager.yml"
        authorization = {"http_config": {"authorization": {"credentials": TOKEN}}}
        webhook = {"url": receiver, "send_resolved": True, **authorization}
        route = {"receiver": "retrainer", "group_by": ["namespace"], "group_wait": "0s", "group_interval": "1s", "repeat_interval": "2s"}
        receivers = [{"name": "retrainer", "webhook_configs": [webhook]}]
        config.write_text(yaml.safe_dump({"route": route, "receivers": receivers}), encoding="utf-8")
        self._config = config
        self._processes: list[subprocess.Popen[bytes]] = []
        self._session = aiohttp.ClientSession()
        ports = free_ports(4)
        self._web, self._gossip = ports[:2], ports[2:]

    async def start(self) -> None:
        """Start both and return when they are ready."""
        program = await asyncio.to_thread(command)
        self._processes += [self._launch(program, number) for number in range(2)]
        async with asyncio.timeout(60):
            for port in self._web:
                while not await self._is_ready(port):
                    assert all(process.poll() is None for process in self._processes), self.said()
                    await asyncio.sleep(0.05)

    def _launch(self, program: tuple[str, ...], number: int) -> subprocess.Popen[bytes]:
        arguments = [
            f"--config.file={self._config}",
            f"--storage.path={self._home / str(number)}",
            f"--web.listen-address=127.0.0.1:{self._web[number]}",
            f"--cluster.listen-address=127.0.0.1:{self._gossip[number]}",
            f"--cluster.advertise-address=127.0.0.1:{self._gossip[number]}",
            f"--cluster.peer=127.0.0.1:{self._gossip[1 - number]}",
            "--cluster.peer-timeout=0s",  # the second does not wait to hear that the first has told it already
            "--cluster.settle-timeout=2s",
        ]
        with (self._home / f"{number}.log").open("ab") as log:
            return subprocess.Popen([*program, *arguments], stdout=log, stderr=log, env={"PATH": os.environ["PATH"]})

    async def fire(self, alerts: Iterable[Mapping[str, str]], starts_at: datetime) -> None:
        """Tell both of alerts by their labels, as Prometheus tells every Alertmanager it knows."""
        posted = [{"labels": dict(labels), "annotations": {"summary": "it drifts"}, "startsAt": starts_at.isoformat()} for labels in alerts]
        for port in self._web:
            await self._post(port, posted)

    async def resolve(self, alerts: Iterable[Mapping[str, str]], starts_at: datetime) -> None:
        """Tell both that alerts are over."""
        now = datetime.now(UTC).isoformat()
        posted = [{"labels": dict(labels), "startsAt": starts_at.isoformat(), "endsAt": now} for labels in alerts]
        for port in self._web:
            await self._post(port, posted)

    async def stop(self) -> None:
        """End both."""
        await self._session.close()
        for process in self._processes:
            process.terminate()
            await asyncio.to_thread(process.wait, 20)

    def said(self) -> str:
        """Return the end of both logs."""
        return "\n".join(line for log in sorted(self._home.glob("*.log")) for line in log.read_text(encoding="utf-8").splitlines()[-15:])

    async def _is_ready(self, port: int) -> bool:
        try:
            async with self._session.get(f"http://127.0.0.1:{port}/-/ready") as answer:
                return answer.status == 200
        except aiohttp.ClientError:
            return False

    async def _post(self, port: int, alerts: list[dict[str, Any]]) -> None:
        async with self._session.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=alerts) as answer:
            assert answer.status == 200, await answer.text()

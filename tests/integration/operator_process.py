"""The operator as users run it: `python -m retrainer` in a process of its own, with the rights the chart gives it and no others."""

import asyncio
import json
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, Protocol

import aiohttp

TOKEN: Final = "a-token-of-alertmanagers"
_NO_CONNECTIONS: Final = range(20_000, 32_000)
_TIMEOUT: Final = aiohttp.ClientTimeout(total=20)


class Process(Protocol):
    """What a Popen is, as far as an operator needs it."""

    pid: int

    def send_signal(self, number: int, /) -> None:
        """Signal it."""

    def terminate(self) -> None:
        """Ask it to end."""

    def poll(self) -> int | None:
        """Return its exit code, or None while it runs."""

    def wait(self, timeout: float | None = None) -> int:
        """Return its exit code once it has ended."""


class OperatorProcess:
    """Starts, stops and kills one operator after the other under one set of settings; their logs go to one file."""

    def __init__(self, kubeconfig: Path, prometheus: str, home: Path, **settings: str) -> None:
        token = home / "webhook-token"
        token.write_text(TOKEN, encoding="utf-8")
        self.log = home / "operator.log"
        self._health_port, self._webhook_port = free_ports(2)
        self._process: Process | None = None
        self._session = aiohttp.ClientSession(timeout=_TIMEOUT)
        self._environment = {
            "PATH": os.environ["PATH"],
            "RETRAINER_TRAINER_IMAGE": "trainer:test",
            "RETRAINER_OPERATOR_NAMESPACE": "integration-operator",
            "RETRAINER_POD_NAME": "retrainer-0",
            "RETRAINER_METRICS_SOURCES": json.dumps({"default": prometheus, "open": {"url": prometheus, "allowQueries": True}}),
            "RETRAINER_EVALUATION_INTERVAL_S": "1",
            "RETRAINER_KUBECONFIG": str(kubeconfig),
            "RETRAINER_WEBHOOK_TOKEN_FILE": str(token),
            "RETRAINER_WEBHOOK_LISTEN_PORT": str(self._webhook_port),
            "RETRAINER_HEALTH_LISTEN_PORT": str(self._health_port),
            "RETRAINER_LOG_FORMAT": "text",
            **{f"RETRAINER_{name.upper()}": value for name, value in settings.items()},
        }

    def launch(self) -> None:
        """Start it and return at once."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen([sys.executable, "-m", "retrainer"], env=self._environment, stdout=log, stderr=log)

    async def start(self) -> None:
        """Start it and return when it is ready."""
        self.launch()
        await self.until_ready()

    async def until_ready(self) -> None:
        """Return when it says that it has seen everything."""
        async with asyncio.timeout(60):
            while await self.status("readyz") != 200:
                assert self._running.poll() is None, f"the operator ended:\n{self.said()}"
                await asyncio.sleep(0.05)

    async def status(self, page: str) -> int:
        """Return the HTTP status of a page of the health port, 0 where nobody answers."""
        try:
            async with self._session.get(f"http://127.0.0.1:{self._health_port}/{page}") as answer:
                return answer.status
        except aiohttp.ClientError:
            return 0

    async def metric(self, name: str, **labels: str) -> float:
        """Return a figure of its `/metrics`, summed over the labels that are not given; 0 where there is none."""
        async with self._session.get(f"http://127.0.0.1:{self._health_port}/metrics") as answer:
            text = await answer.text()
        wanted = [f'{key}="{value}"' for key, value in labels.items()]
        lines = (line for line in text.splitlines() if line.partition("{")[0].partition(" ")[0] == name)
        return sum(float(line.rpartition(" ")[2]) for line in lines if all(one in line for one in wanted))

    @property
    def webhook_url(self) -> str:
        """Where Alertmanager posts to."""
        return f"http://127.0.0.1:{self._webhook_port}/api/v1/alerts"

    async def post(self, notification: Mapping[str, Any], token: str = TOKEN) -> int:
        """Post to the webhook as Alertmanager does and return the HTTP status, 0 where nobody answers (in time)."""
        headers = {"Authorization": f"Bearer {token}"}
        try:
            async with self._session.post(self.webhook_url, json=notification, headers=headers) as answer:
                return answer.status
        except (aiohttp.ClientError, TimeoutError):
            return 0

    def kill(self) -> None:
        """Kill it with signal 9."""
        self._running.send_signal(signal.SIGKILL)
        self._running.wait()

    async def until_ended(self) -> int:
        """Return its exit code once it has ended by itself."""
        return int(await asyncio.to_thread(self._running.wait, 60))

    async def stop(self) -> int:
        """End it as Kubernetes does and return its exit code."""
        self._running.terminate()
        code = await asyncio.to_thread(self._running.wait, 30)
        return int(code)

    async def close(self) -> None:
        """End it if it runs, and close the connections to it."""
        await self._session.close()
        if self._process is not None and self._process.poll() is None:
            await self.stop()

    @property
    def has_ended(self) -> bool:
        """Whether it is not there any more."""
        return self._running.poll() is not None

    def resident_bytes(self) -> int:
        """Return its resident memory."""
        fields = Path(f"/proc/{self._running.pid}/statm").read_text(encoding="ascii").split()
        return int(fields[1]) * os.sysconf("SC_PAGE_SIZE")

    def cpu_seconds(self) -> float:
        """Return the processor time it has used."""
        fields = Path(f"/proc/{self._running.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def said(self, lines: int = 40) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(encoding="utf-8").splitlines()[-lines:])

    @property
    def _running(self) -> Process:
        assert self._process is not None, "the operator was never started"
        return self._process


def free_ports(number: int) -> list[int]:
    """Return ports of loopback that nobody listens on, none of those that the kernel gives to connections.

    One of those may be a connection's by the time a killed operator is started again, which then cannot listen.
    """
    sockets: list[socket.socket] = []
    for port in random.sample(_NO_CONNECTIONS, len(_NO_CONNECTIONS)):
        if len(sockets) == number:
            break
        with suppress(OSError):
            sockets.append(socket.create_server(("127.0.0.1", port)))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports

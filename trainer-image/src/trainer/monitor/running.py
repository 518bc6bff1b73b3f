"""The monitor as a process: rounds and their HTTP server until a signal, or one round and its figures."""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.daemon.listener import Listener, bind
from trainer.daemon.signals import stop_on_signals
from trainer.monitor.app import MonitorApp
from trainer.monitor.exposition import Exposition
from trainer.monitor.given import objects_of
from trainer.monitor.process import Monitor
from trainer.monitor.settings import MonitorSettings


@dataclass(frozen=True, slots=True)
class Measured:
    """What one round found: each series by name, labels and value; and what could not be measured, and why."""

    series: Sequence[tuple[str, Mapping[str, str], float]]
    faults: Mapping[str, str]

    def to_document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        series = [{"name": name, "labels": dict(labels), "value": value} for name, labels, value in self.series]
        return {"series": series, "faults": dict(self.faults)}

    def sentences(self) -> str:
        """Return it for people, a line a series and a line a fault."""
        names = [f"{name}{{{', '.join(f'{k}={v}' for k, v in labels.items())}}}" for name, labels, _ in self.series]
        width = max(map(len, names), default=0)
        lines = [f"{name:<{width}}  {value:.10g}" for name, (_, _, value) in zip(names, self.series, strict=True)]
        return "\n".join([*lines, *(f"not measured: {part}: {why}" for part, why in self.faults.items())])


async def monitor_until_stopped(settings: MonitorSettings, objects: Path | None) -> None:
    """Go round and answer scrapes until SIGTERM or SIGINT."""
    stop, database = stop_on_signals(asyncio.get_running_loop()), settings.database
    exposition = Exposition(settings.stale_seconds, time.time)
    async with objects_of(settings.namespace, objects) as cluster, asyncio.TaskGroup() as tasks:
        rounds = Monitor(settings, database, cluster, exposition)
        listener = Listener(MonitorApp(exposition, rounds.is_alive))
        tasks.create_task(listener.run_on(bind(settings.port)))
        await rounds.run(stop)
        listener.stop()


async def measure_once(settings: MonitorSettings, objects: Path | None, *, dry_run: bool) -> Measured:
    """Do one round; returns what a scrape after it would show, and what failed."""
    exposition, database = Exposition(settings.stale_seconds, time.time), settings.database
    async with objects_of(settings.namespace, objects) as cluster:
        faults = await Monitor(settings, database, cluster, exposition).once(dry_run=dry_run)
    return Measured(list(exposition.series()), faults)

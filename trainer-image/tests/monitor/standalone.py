"""A monitor as a process of its own, over a real Postgres: `python -m tests.monitor.standalone POLICIES SQL`.

The policies are JSON; the SQL is run before the monitor starts. It prints one line of JSON, the database's URL and the
monitor's port, and then does what each line of its input says: `lose` the database, `find` it again. It ends when its
input does.
"""

import asyncio
import json
import sys
import time

import psycopg

from tests.gate import Gate, gate_before
from tests.monitor.builders import NAMESPACE, FakeCluster
from tests.postgres import running_postgres
from trainer.daemon.listener import Listener, bind
from trainer.migrations import migrate
from trainer.monitor.app import MonitorApp
from trainer.monitor.exposition import Exposition
from trainer.monitor.process import Monitor
from trainer.monitor.settings import MonitorSettings

INTERVAL_SECONDS = 0.2
STALE_SECONDS = 1.0


async def monitor(url: str, gate: Gate, cluster: FakeCluster) -> None:
    """Go round until the input ends."""
    stop = asyncio.Event()
    settings = MonitorSettings(database_url=gate.url, namespace=NAMESPACE, interval_seconds=INTERVAL_SECONDS)
    exposition = Exposition(STALE_SECONDS, time.time)
    rounds = Monitor(settings, settings.database, cluster, exposition)
    listener, listening = Listener(MonitorApp(exposition, rounds.is_alive)), bind(0)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(listener.run_on(listening))
        tasks.create_task(rounds.run(stop))
        sys.stdout.write(json.dumps({"database": url, "port": listening.getsockname()[1]}) + "\n")
        sys.stdout.flush()
        while line := await asyncio.to_thread(sys.stdin.readline):
            {"lose": gate.close, "find": gate.open}[line.strip()]()
        stop.set()
        listener.stop()


def main() -> None:
    """Run Postgres, its migration and the monitor."""
    with running_postgres() as url, gate_before(url) as gate:
        migrate(url)
        with psycopg.connect(url) as connection:
            connection.execute(sys.argv[2])
        asyncio.run(monitor(url, gate, FakeCluster(json.loads(sys.argv[1]))))


if __name__ == "__main__":
    main()

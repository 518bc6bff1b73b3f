"""`python -m tests.observer`: exit code 1 when any invariant was broken, 0 when none was; SIGTERM ends it cleanly."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import aiohttp

from tests.observer.observing import Observer, Sources
from tests.observer.prometheus import Prometheus
from tests.observer.report import Report
from tests.observer.watching import ApiServer


def main(arguments: Sequence[str] | None = None) -> int:
    """Observe until told to stop."""
    options = _options(arguments)
    violations = asyncio.run(_observe_until_told(options))
    print(f"observer: {violations} violations, see {options.out}", flush=True)
    return 1 if violations else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.observer", description="Watch a rollout and assert its invariants.")
    parser.add_argument("--kubeconfig", type=Path, required=True, help="the cluster to watch: its current context")
    parser.add_argument("--prometheus", metavar="URL", help="where the observer asks for itself; without it no rise can be justified")
    parser.add_argument("--audit-log", type=Path, help="the API server's audit log, where there is one")
    parser.add_argument("--client-log", type=Path, help="the traffic client's log")
    parser.add_argument("--out", type=Path, default=Path("build/observer.jsonl"), help="where to write JSON lines")
    return parser.parse_args(arguments)


async def _observe_until_told(options: argparse.Namespace) -> int:
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    api = await ApiServer.of(options.kubeconfig)
    async with aiohttp.ClientSession() as session:
        prometheus = Prometheus(session, options.prometheus) if options.prometheus else None
        observer = Observer(api, prometheus, Sources(options.audit_log, options.client_log), Report(options.out))
        observing = asyncio.create_task(observer.observe())
        telling = asyncio.create_task(told.wait())
        await asyncio.wait({observing, telling}, return_when=asyncio.FIRST_COMPLETED)
        telling.cancel()
        if not observing.done():
            observing.cancel()
        with suppress(asyncio.CancelledError):
            await observing
        violations = await observer.finish()
    await api.close()
    return violations


if __name__ == "__main__":
    sys.exit(main())

"""`python -m tests.client`: call a Service until told to stop, or for so many seconds; prints the totals."""

import argparse
import asyncio
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.client.load import Load, call_until
from tests.client.record import STDOUT, Record


def main(arguments: Sequence[str] | None = None) -> int:
    """Return 0 when no request failed."""
    options = _options(arguments)
    members = options.members.read_text().split()
    record = Record(options.log)
    asyncio.run(_call_until_told(Load(options.url, options.rate, members, options.timeout), record, options.seconds))
    totals = record.close()
    if options.log != STDOUT:
        print(json.dumps(totals), flush=True)
    return 1 if totals["failed"] else 0


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.client",
        description="Half of the requests go over kept-alive connections, half each over a new one. None is retried.",
    )
    parser.add_argument("--url", required=True, help='where to POST {"memberId": …}')
    parser.add_argument("--members", type=Path, required=True, help="a file of member ids, one a line, drawn from at random")
    parser.add_argument("--rate", type=float, default=60.0, help="requests a second (default: %(default)s)")
    parser.add_argument("--timeout", type=float, default=2.0, help="seconds after which a request has failed (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=1800.0, help="stop after so many (default: %(default)s)")
    parser.add_argument(
        "--log", type=Path, default=Path("build/client.jsonl"), help="one JSON line a request; - prints it (default: %(default)s)"
    )
    return parser.parse_args(arguments)


async def _call_until_told(load: Load, record: Record, seconds: float) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.call_later(seconds, stop.set)
    await call_until(stop, load, record)


if __name__ == "__main__":
    sys.exit(main())

"""`trainer monitor`."""

from pathlib import Path
from typing import Annotated

import typer


def monitor(
    *,
    once: Annotated[bool, typer.Option("--once", help="Measure once, print the figures, and end.")] = False,
    objects: Annotated[
        Path | None,
        typer.Option(help="Policies and runs as `kubectl get mrp,mrr -o json` gives them; - reads standard input."),
    ] = None,
    as_json: Annotated[
        bool,
        typer.Option("--json", help="Print the figures of --once as JSON; log JSON on a terminal, too, as in a pod."),
    ] = False,
) -> None:
    """Export what the database knows of models, and project policies and runs into it, until SIGTERM.

    Policies and runs are read as the pod's ServiceAccount, or from --objects.

    Environment:

    * DATABASE_URL: the platform's database.
    * POD_NAMESPACE: whose policies and runs are read.
    * DATABASE_SECRET: name/key; policies that name another Secret are ignored.
    * MONITOR_INTERVAL (15s): how often it measures.
    * PORT (9101): where /metrics and /healthz are.
    * DRY_RUN: with --once, the database keeps nothing of what was measured.

    Exit codes: 0 stopped or measured, 1 with --once if a part could not be measured, 43 bad configuration.
    """
    import asyncio  # noqa: PLC0415 - nothing of this is imported for --help

    from trainer.daemon.listener import new_event_loop  # noqa: PLC0415
    from trainer.daemon.logs import start_daemon_logging  # noqa: PLC0415
    from trainer.errors import BadConfiguration  # noqa: PLC0415
    from trainer.monitor.running import measure_once, monitor_until_stopped  # noqa: PLC0415
    from trainer.monitor.settings import read_monitor_settings  # noqa: PLC0415
    from trainer.progress import say  # noqa: PLC0415
    from trainer.settings import read_settings  # noqa: PLC0415

    common = read_settings()
    if not once:
        start_daemon_logging(as_json=as_json, debug=common.debug)
    if common.dry_run and not once:
        raise BadConfiguration("DRY_RUN is about --once: a monitor that writes nothing counts nothing")
    settings = read_monitor_settings()
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        if not once:
            runner.run(monitor_until_stopped(settings, objects))
            return
        measured = runner.run(measure_once(settings, objects, dry_run=common.dry_run))
    say(measured.sentences(), measured.to_document(), as_json)
    if measured.faults:
        raise typer.Exit(1)

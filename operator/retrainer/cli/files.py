"""The commands that start from a file: what the API server would refuse, and what the past would have come to."""

import asyncio
import json
import re
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from retrainer.api.v1alpha1 import seconds
from retrainer.cli import lint
from retrainer.cli.backtest.command import Asked, backtests
from retrainer.cli.backtest.shown import shown, wire
from retrainer.cli.root import Caller, Form, Output, app, now, out

_DURATION = re.compile(r"[0-9]{1,6}[smhdw]")


@app.command(name="lint")
def check(
    files: Annotated[list[Path], typer.Argument(help="YAML files with policies and runs, or - for standard input.")],
    output: Form = Output.TEXT,
) -> None:
    """Check manifests without a cluster: schema, unknown fields, the CRDs' own rules, and what is allowed but hardly meant."""
    findings = [finding for file in files for finding in lint.of_file(file)]
    if output is Output.JSON:
        out.print_json(json.dumps([finding.wire() for finding in findings]))
    for finding in findings if output is Output.TEXT else ():
        out.print(f"[{'red' if finding.is_error else 'yellow'}]{finding.level}[/] {finding.place}: {finding.message}", soft_wrap=True)
    if any(finding.is_error for finding in findings):
        raise typer.Exit(1)


@app.command(name="backtest")
def run_backtest(  # noqa: PLR0913, PLR0917 - each is an option
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="A YAML file with policies; they need not be applied.")],
    since: Annotated[str, typer.Option(help="How far back, as a duration: 30d.")] = "30d",
    step: Annotated[str, typer.Option(help="How often the triggers are asked: 5m.")] = "5m",
    prometheus: Annotated[str | None, typer.Option(metavar="URL", help="A Prometheus that is reached from here.")] = None,
    service: Annotated[
        str, typer.Option(metavar="NAMESPACE/NAME:PORT", help="Otherwise: its Service, reached through the API server with your rights.")
    ] = "monitoring/prometheus:9090",
    run_takes: Annotated[str, typer.Option(help="How long a run is taken to last.")] = "1h",
    output: Form = Output.TEXT,
) -> None:
    """Say when each trigger would have fired or been refused, by the operator's own decisions, as if no retraining had happened."""
    caller: Caller = context.obj
    asked = Asked(file, *(_duration(name, text) for name, text in (("since", since), ("step", step), ("run-takes", run_takes))))
    with out.status("asking Prometheus for the past …") if output is Output.TEXT else nullcontext():
        found = asyncio.run(backtests(asked, caller.place, prometheus, service, now()))
    if output is Output.JSON:
        out.print_json(json.dumps([wire(one) for one in found]))
    for one in found if output is Output.TEXT else ():
        out.print(shown(one, out.width))


def _duration(name: str, text: str) -> timedelta:
    if not _DURATION.fullmatch(text) or seconds(text) == 0:
        raise typer.BadParameter(f"{text!r} is no duration such as 30d, 6h or 5m", param_hint=f"--{name}")
    return timedelta(seconds=seconds(text))

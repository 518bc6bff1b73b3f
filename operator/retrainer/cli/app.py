"""The commands. Each opens a session, asks the module that knows, and prints what it returns."""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
import yaml
from rich.console import Console, RenderableType
from rich.live import Live

from retrainer.adapters.clock import SystemClock
from retrainer.api.v1alpha1 import seconds
from retrainer.cli import ask, lint
from retrainer.cli.backtest.command import Asked, backtests
from retrainer.cli.backtest.shown import shown, wire
from retrainer.cli.explain import explanation
from retrainer.cli.history import history, story
from retrainer.cli.session import Place, Session, session
from retrainer.cli.status import overview, picture
from retrainer.core.observation import PolicySeen, RunSeen
from retrainer.core.phases import Phase

Result = TypeVar("Result")
app = typer.Typer(name="kubectl-retrain", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
out = Console(highlight=False)
now = SystemClock().now
DURATION = re.compile(r"[0-9]{1,6}[smhdw]")
_LOOK_EVERY_S = 1.0


class Output(StrEnum):
    """How the answer is printed."""

    TEXT = "text"
    JSON = "json"


@dataclass(frozen=True, slots=True)
class Caller:
    """What was said before the command."""

    place: Place

    def do(self, work: Callable[[Session], Awaitable[Result]]) -> Result:
        """Do the work in a session and return what comes of it."""

        async def within() -> Result:
            async with session(self.place) as opened:
                return await work(opened)

        return asyncio.run(within())


Policy = Annotated[str, typer.Argument(help="A ModelRetrainPolicy.")]
Target = Annotated[str, typer.Argument(metavar="RUN|POLICY", help="A run, or a policy whose run under way is meant.")]
Form = Annotated[Output, typer.Option("--output", "-o", help="text, or json for machines.")]


@app.callback()
def place(
    context: typer.Context,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="The namespace; the context's unless given.")] = None,
    kube_context: Annotated[
        str | None, typer.Option("--context", help="A context of the kubeconfig; the current one unless given.")
    ] = None,
    kubeconfig: Annotated[Path | None, typer.Option(help="The kubeconfig; $KUBECONFIG or ~/.kube/config unless given.")] = None,
) -> None:
    """See what retraining policies do and why, and tell them what to do. All of it is in the objects, too."""
    context.obj = Caller(Place(kubeconfig, kube_context, namespace))


@app.command()
def status(
    context: typer.Context,
    policy: Annotated[str | None, typer.Argument(help="A ModelRetrainPolicy; all of the namespace unless given.")] = None,
    everywhere: Annotated[bool, typer.Option("--all-namespaces", "-A", help="The policies of all namespaces.")] = False,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on showing it until interrupted.")] = False,
    output: Form = Output.TEXT,
) -> None:
    """Show what serves, what is under way, and how far it has come."""

    async def look(opened: Session) -> tuple[RenderableType, Any]:
        if policy is None:
            found = await opened.policies(everywhere=everywhere)
            return overview(found, now()), [_wire(one) for one in found]
        one, runs = await opened.policy(policy), await opened.runs(policy)
        return picture(one, runs, now()), _wire(one) | {"runs": [_run_wire(run) for run in runs]}

    async def follow(opened: Session) -> None:
        shown, _ = await look(opened)
        with Live(shown, console=out, auto_refresh=False) as live:
            while True:
                live.update((await look(opened))[0], refresh=True)
                await asyncio.sleep(_LOOK_EVERY_S)

    caller: Caller = context.obj
    if watch and output is Output.TEXT:
        caller.do(follow)
    else:
        _show(caller.do(look), output)


@app.command()
def explain(context: typer.Context, policy: Policy, output: Form = Output.TEXT) -> None:
    """Say why a policy did or did not act, trigger by trigger."""

    async def look(opened: Session) -> tuple[RenderableType, Any]:
        one, runs = await opened.policy(policy), await opened.runs(policy)
        told = [trigger.wire() for trigger in one.status.triggers]
        return explanation(one, runs, now()), {"triggers": told, "conditions": _wire(one)["status"].get("conditions", [])}

    _show(context.obj.do(look), output)


@app.command(name="history")
def show_history(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="POLICY|RUN", help="A policy, or one run, whose whole timeline is shown.")],
    output: Form = Output.TEXT,
) -> None:
    """Show what was tried, how it ended, and why."""

    async def look(opened: Session) -> tuple[RenderableType, Any]:
        run = await opened.run(name)
        if run is not None:
            return story(run, now()), _run_wire(run)
        runs = await opened.runs((await opened.policy(name)).identity.name)
        return history(runs, now()), [_run_wire(one) for one in runs]

    _show(context.obj.do(look), output)


@app.command()
def trigger(  # noqa: PLR0913, PLR0917 - each is an option
    context: typer.Context,
    policies: Annotated[list[str] | None, typer.Argument(metavar="[POLICY]...", help="The policies to start a run of.")] = None,
    selector: Annotated[str, typer.Option("--selector", "-l", help="Of all policies with these labels, e.g. `team=members`.")] = "",
    every: Annotated[bool, typer.Option("--all", help="Of all policies of the namespace.")] = False,
    message: Annotated[str, typer.Option("--message", "-m", help="Why, as a sentence.")] = "",
    validate_only: Annotated[bool, typer.Option("--dry-run", help="Look at the data and end: nothing is trained.")] = False,
    hyperparameters: Annotated[list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter's own value.")] = None,
    data: Annotated[list[str] | None, typer.Option(metavar="NAME=VALUE", help="A field of training.data, e.g. holdout=7d.")] = None,
) -> None:
    """Start a run of a policy, or of many: retrain all with --all."""
    if sum(map(bool, (policies, selector, every))) != 1:
        raise typer.BadParameter("name policies, or give --selector, or --all: one of the three")
    wanted = ask.Wanted(
        message=message, dry_run=validate_only, hyperparameters=_pairs(hyperparameters),
        data={name: str(value) for name, value in _pairs(data).items()},
    )  # fmt: skip

    async def work(opened: Session) -> None:
        chosen = [await opened.policy(name) for name in policies] if policies else await opened.policies(selector)
        if not chosen:
            out.print("no policy matches")
        for policy in chosen:
            out.print(f"{policy.identity.name}: run {await ask.start(opened, policy, wanted)} was created")

    context.obj.do(work)


@app.command()
def approve(context: typer.Context, name: Target) -> None:
    """Approve the version of a run that waits in AwaitingApproval."""
    _annotate(context, name, "approve", Phase.AWAITING_APPROVAL)


@app.command()
def abort(context: typer.Context, name: Target) -> None:
    """End a run under way: its Job is deleted, or the traffic returns to the champion first and the candidate goes after."""
    _annotate(context, name, "abort")


@app.command()
def promote(context: typer.Context, name: Target) -> None:
    """Skip the rest of a canary's analysis; never the gate, the smoke test or the watch."""
    _annotate(context, name, "promote")


@app.command()
def pause(context: typer.Context, policy: Policy) -> None:
    """Start no new phase and raise no weight; analysis and the way back go on."""
    _tell(context, policy, "pause")


@app.command()
def resume(context: typer.Context, policy: Policy) -> None:
    """End a pause."""
    _tell(context, policy, "resume")


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
    if not DURATION.fullmatch(text) or seconds(text) == 0:
        raise typer.BadParameter(f"{text!r} is no duration such as 30d, 6h or 5m", param_hint=f"--{name}")
    return timedelta(seconds=seconds(text))


def _annotate(context: typer.Context, name: str, verb: str, phase: Phase | None = None) -> None:
    async def work(opened: Session) -> None:
        run = await ask.run_meant(opened, name, phase)
        version = await ask.annotate_run(opened, run, ask.RUN_VERBS[verb])
        out.print(f"{run.name}: {verb} of {version} was asked; see: kubectl retrain status {run.spec.policy_ref.name}")

    context.obj.do(work)


def _tell(context: typer.Context, name: str, verb: str) -> None:
    async def work(opened: Session) -> None:
        policy = await opened.policy(name)
        await ask.annotate_policy(opened, policy, ask.POLICY_VERBS[verb])
        out.print(f"{name}: {verb} was asked; see: kubectl retrain explain {name}")

    context.obj.do(work)


def _pairs(given: list[str] | None) -> dict[str, Any]:
    """Read NAME=VALUE options, the value as YAML does: numbers are numbers."""
    for pair in given or ():
        if "=" not in pair:
            raise typer.BadParameter(f"{pair!r} is not NAME=VALUE")
    return {pair.partition("=")[0]: yaml.safe_load(pair.partition("=")[2]) for pair in given or ()}


def _show(answer: tuple[RenderableType, Any], output: Output) -> None:
    text, wire = answer
    if output is Output.JSON:
        out.print_json(json.dumps(wire))
    else:
        out.print(text)


def _wire(policy: PolicySeen) -> dict[str, Any]:
    return {"namespace": policy.identity.namespace, "name": policy.identity.name, "status": policy.status.wire()}


def _run_wire(run: RunSeen) -> dict[str, Any]:
    return {"name": run.name, "spec": run.spec.wire(), "status": run.status.model_copy(update={"frozen": None, "template": None}).wire()}

"""The commands by which people ask for something: each is one write of an object, made by `ask.py`."""

from typing import Annotated, Any

import typer
import yaml

from retrainer.cli import ask
from retrainer.cli.root import Policy, Target, app, out
from retrainer.cli.session import Session
from retrainer.core import naming
from retrainer.core.phases import Phase


@app.command()
def rollback(
    context: typer.Context,
    policy: Policy,
    to: Annotated[str | None, typer.Option(metavar="VERSION", help="A kept version; the one that served before unless given.")] = None,
) -> None:
    """Let an earlier version serve: the warm previous one by one write, any other once its pods are ready."""

    async def work(opened: Session) -> None:
        one = await opened.policy(policy)
        version = ask.version_to_return_to(one, to)
        await ask.annotate_policy(opened, one, naming.ROLLBACK, version)
        out.print(f"{policy}: rollback to {version} was asked; see: kubectl retrain status {policy} --watch")

    context.obj.do(work)


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
    priority: Annotated[int | None, typer.Option(min=0, max=100, help="Against other runs that wait; 50 unless given.")] = None,
    emergency: Annotated[str, typer.Option(metavar="REASON", help="It cannot wait, and why: it goes before every other run.")] = "",
    max_weight: Annotated[int | None, typer.Option(min=1, max=99, help="An emergency's one step, in percent; 50 unless given.")] = None,
) -> None:
    """Start a run of a policy, or of many: retrain all with --all."""
    if sum(map(bool, (policies, selector, every))) != 1:
        raise typer.BadParameter("name policies, or give --selector, or --all: one of the three")
    wanted = ask.Wanted(
        message=message, dry_run=validate_only, hyperparameters=_pairs(hyperparameters),
        data={name: str(value) for name, value in _pairs(data).items()}, priority=priority, emergency=emergency, max_weight=max_weight,
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

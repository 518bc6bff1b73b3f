"""The commands that show something: each opens a session, asks the module that knows, and prints what it returns."""

import asyncio
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from rich.live import Live

from retrainer.cli.explain import explanation
from retrainer.cli.history import history, story
from retrainer.cli.history import versions as kept_versions
from retrainer.cli.root import Caller, Form, Output, Policy, app, now, out, show
from retrainer.cli.session import Session
from retrainer.cli.status import overview, picture
from retrainer.core.observation import PolicySeen, RunSeen

_LOOK_EVERY_S = 1.0


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
        show(caller.do(look), output)


@app.command()
def explain(context: typer.Context, policy: Policy, output: Form = Output.TEXT) -> None:
    """Say why a policy did or did not act, trigger by trigger."""

    async def look(opened: Session) -> tuple[RenderableType, Any]:
        one, runs = await opened.policy(policy), await opened.runs(policy)
        told = [trigger.wire() for trigger in one.status.triggers]
        return explanation(one, runs, now()), {"triggers": told, "conditions": _wire(one)["status"].get("conditions", [])}

    show(context.obj.do(look), output)


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

    show(context.obj.do(look), output)


@app.command()
def versions(context: typer.Context, policy: Policy, output: Form = Output.TEXT) -> None:
    """Show the versions that are kept: each may be rolled back to."""

    async def look(opened: Session) -> tuple[RenderableType, Any]:
        one = await opened.policy(policy)
        return kept_versions(one, now()), [version.wire() for version in one.status.versions]

    show(context.obj.do(look), output)


def _wire(policy: PolicySeen) -> dict[str, Any]:
    return {"namespace": policy.identity.namespace, "name": policy.identity.name, "status": policy.status.wire()}


def _run_wire(run: RunSeen) -> dict[str, Any]:
    return {"name": run.name, "spec": run.spec.wire(), "status": run.status.model_copy(update={"frozen": None, "template": None}).wire()}

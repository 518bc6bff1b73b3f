"""What every command has: the application, who calls from where, and how an answer is printed."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from rich.console import Console, RenderableType

from retrainer.adapters.clock import SystemClock
from retrainer.cli.session import Place, Session, session

Result = TypeVar("Result")
app = typer.Typer(name="kubectl-retrain", add_completion=False, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode=None)
out = Console(highlight=False)
now = SystemClock().now


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


def show(answer: tuple[RenderableType, Any], output: Output) -> None:
    """Print an answer: what people read, or what machines do."""
    text, wire = answer
    if output is Output.JSON:
        out.print_json(json.dumps(wire))
    else:
        out.print(text)

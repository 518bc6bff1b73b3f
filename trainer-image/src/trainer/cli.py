"""The command line's root: the list of commands. A command's module is imported when it is the one that runs."""

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup
from typer.main import get_command as click_command

from trainer.settings import read_settings

_COMMANDS = {
    "migrate": ("trainer.migrations.command:migrate", "Bring the database to this image's schema."),
    "seed": ("trainer.seed.command:seed", "Fill the database with a believable, reproducible platform."),
    "validate": ("trainer.quality.command:validate", "Check the training data; train nothing."),
    "train": ("trainer.training.command:train", "Train a version and measure it against the champion."),
    "verify": ("trainer.artifact.command:verify", "Prove that an artifact is sound."),
    "serve": ("trainer.serve.command:serve", "Answer predictions over HTTP."),
    "prune": ("trainer.prune.command:prune", "Remove the versions that a policy no longer keeps."),
    "monitor": ("trainer.monitor.command:monitor", "Export the metrics that the database knows."),
    "report": ("trainer.report.command:report", "Report what each model did, as a page and a digest."),
}


class _Commands(TyperGroup):
    """Lists every command with its line of help; imports only the one that is asked for by name."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        return _as_command(cmd_name, _described(_COMMANDS[cmd_name][1]))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        name, command, rest = super().resolve_command(ctx, args)
        if name is not None and command is not None:
            module, function = _COMMANDS[name][0].split(":")
            command = _as_command(name, getattr(import_module(module), function))
        return name, command, rest


def _described(line: str) -> Any:
    def described() -> None: ...

    described.__doc__ = line
    return described


def _as_command(name: str, function: Any) -> Any:
    app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
    app.command(name)(function)
    return click_command(app)


app = typer.Typer(cls=_Commands, add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="markdown")


@app.callback(invoke_without_command=True)
def trainer(context: typer.Context) -> None:
    """Migrate, seed, validate, train, verify, serve, prune, monitor and report: the trainer image of Retrainer.

    Without a command it does what RETRAIN_REQUEST asks: that is all that an operator gives a training image.

    Environment; each command's own is in its help:

    * DATABASE_URL: the platform's database, as libpq reads it.
    * RETRAIN_REQUEST: what `train` and `validate` are asked, as JSON.
    * MODEL_EPOCHS, MODEL_BATCH_SIZE: win over the request.
    * DRY_RUN, DEBUG, REQUIRE_GPU: true or false.
    * CHECKPOINT_INTERVAL (5m): how much of a killed training may be lost.
    * RESIDENT_MIB (12): rows beyond it are streamed.
    * AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY: for artifacts in a bucket.

    Exit codes: 0 done, 42 the data was rejected, 43 bad configuration, else a fault that may go away.
    """
    if context.invoked_subcommand is not None:
        return
    if read_settings().retrain_request is None:
        print(context.get_help())  # noqa: T201 - this is the output
        return
    import_module("trainer.training.command").train(as_json=True)

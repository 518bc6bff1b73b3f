"""`trainer verify`."""

from pathlib import Path
from typing import Annotated

import typer

from trainer.artifact import ArtifactRejected, load
from trainer.outcome import ExitCode
from trainer.progress import say
from trainer.runtime import require_sane_predictions


def verify(
    path: Annotated[Path, typer.Argument(help="The directory of a version.", show_default=False)],
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Prove that an artifact is sound: manifest, digests, sizes, shapes, finite weights, and that it answers.

    Exit code 0: it is. 1: it is not, and the reason says why.
    """
    try:
        artifact = load(path)
        require_sane_predictions(artifact)
    except ArtifactRejected as rejection:
        document = {"sound": False, "reason": rejection.reason, "message": rejection.message}
        say(f"{rejection.reason}: {rejection.message}", document, as_json)
        raise typer.Exit(ExitCode.FAULT) from None
    manifest = artifact.manifest
    sentence = f"{manifest.model_type} {manifest.version} is sound, {artifact.digest}"
    say(sentence, {"sound": True, "version": manifest.version, "digest": artifact.digest}, as_json)

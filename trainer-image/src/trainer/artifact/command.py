"""`trainer verify`."""

from typing import Annotated

import typer

from trainer.artifact.errors import ArtifactRejected
from trainer.artifact.verification import verified
from trainer.outcome import ExitCode
from trainer.progress import say
from trainer.store import StoreUnavailable, open_store


def verify(
    location: Annotated[
        str, typer.Argument(help="A version: its directory, or s3://bucket/prefix/version.", show_default=False)
    ],
    digest: Annotated[
        str | None, typer.Option(help="The digest that it must have, as the policy's status gives it (sha256:…).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Prove that an artifact is sound: manifest, digests, sizes, shapes, finite weights, and that it answers.

    Nothing in it is executed. A version that somebody replaced by another sound one is found out by `--digest` alone.

    Exit code 0: it is sound. 1: it is not, and the reason says why, or its bucket does not answer. 43: bad
    configuration.
    """
    parent, _, name = location.rstrip("/").rpartition("/")
    try:
        artifact = verified(open_store(parent or ".").version(name), digest)
    except ArtifactRejected as rejection:
        document = {"sound": False, "reason": rejection.reason, "message": rejection.message}
        say(f"{rejection.reason}: {rejection.message}", document, as_json)
        raise typer.Exit(ExitCode.FAULT) from None
    except StoreUnavailable as unavailable:
        document = {"sound": False, "reason": "StoreUnavailable", "message": str(unavailable)}
        say(f"StoreUnavailable: {unavailable}", document, as_json)
        raise typer.Exit(ExitCode.FAULT) from None
    manifest = artifact.manifest
    sentence = f"{manifest.model_type} {manifest.version} is sound, {artifact.digest}"
    say(sentence, {"sound": True, "version": manifest.version, "digest": artifact.digest}, as_json)

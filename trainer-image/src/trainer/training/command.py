"""`trainer train`."""

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from trainer.outcome import write_termination_message
from trainer.progress import say
from trainer.quality.command import validate_data
from trainer.request import Wish, read_request
from trainer.settings import Settings, read_settings
from trainer.training.procedure import checkpoints_of, find_data, finished_version, record_if_possible, trained_version
from trainer.training.result import result_of, sentences_of


def train(  # noqa: PLR0913 - one parameter an option
    *,
    model: Annotated[str | None, typer.Option(help="The model to train; churn_risk if nothing says.")] = None,
    artifacts: Annotated[
        str | None,
        typer.Option(help="Where versions are: a directory or s3://bucket/prefix; ./artifacts if not said."),
    ] = None,
    version: Annotated[str | None, typer.Option(help="The version's name; the time if nothing says.")] = None,
    champion: Annotated[str | None, typer.Option(help="The version to compare with, beside the new one.")] = None,
    window: Annotated[str | None, typer.Option(help="How far back rows count, such as 365d.")] = None,
    holdout: Annotated[str | None, typer.Option(help="The newest span, which is held out, such as 30d.")] = None,
    half_life: Annotated[str | None, typer.Option(help="The age at which a row counts half, such as 90d.")] = None,
    epochs: Annotated[int | None, typer.Option(help="Most epochs; early stopping needs fewer.")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Rows a step.")] = None,
    random_seed: Annotated[
        int | None, typer.Option("--seed", help="The same data and seed give the same model.")
    ] = None,
    refit: Annotated[
        bool | None, typer.Option(help="Ship weights fitted on all labelled rows.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Train a version as RETRAIN_REQUEST or the options ask, and measure it and the champion on held-out rows.

    Asked for a version that is there and sound, it trains nothing and repeats its result. DRY_RUN=true looks at the
    data and trains nothing.

    Exit codes: 0 trained, 42 the data was rejected, 43 bad configuration, else a fault that may go away.
    """
    settings = read_settings()
    now = datetime.now(UTC)
    flags: dict[str, Any] = {
        "modelType": model,
        "version": version,
        "artifacts": {"path": artifacts},
        "data": {"window": window, "holdout": holdout, "recencyHalfLife": half_life, "refit": refit},
        "hyperparameters": {"epochs": epochs, "batchSize": batch_size, "seed": random_seed},
    }
    if champion is not None:
        flags["champion"] = {"version": champion}
    train_as_asked(settings, flags, now, as_json)


def train_as_asked(settings: Settings, flags: dict[str, Any], now: datetime, as_json: bool) -> None:
    """Do what the request and the flags ask, print the result, and leave it for the operator."""
    request = read_request(settings, flags, _unasked(now))
    if request.action is Wish.VALIDATE or settings.dry_run:
        validate_data(request, settings, as_json)
        return
    artifact = finished_version(request)
    if artifact is None:
        found = find_data(request, settings)
        artifact = trained_version(request, settings, found, now)
    checkpoints_of(request, settings).remove()
    result = result_of(artifact, request)
    write_termination_message(settings.termination_log, result)
    record_if_possible(artifact, request, settings)
    say(sentences_of(artifact), result, as_json)


def _unasked(now: datetime) -> dict[str, Any]:
    return {
        "modelType": "churn_risk",
        "namespace": "default",
        "policy": "by-hand",
        "version": now.strftime("%Y%m%d-%H%M%S-0"),
        "artifacts": {"path": "artifacts"},
    }

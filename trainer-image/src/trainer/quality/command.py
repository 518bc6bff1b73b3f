"""`trainer validate`."""

from collections.abc import Sequence
from typing import Annotated, Any

import orjson
import typer
from rich.console import Console
from rich.table import Table

from trainer.database import connect
from trainer.dataset.preparation import prepare
from trainer.errors import DataRejected
from trainer.outcome import Check, write_termination_message
from trainer.progress import say
from trainer.quality.checks import require_good_data, run_checks, warnings_of
from trainer.request import RetrainRequest, read_request
from trainer.settings import Settings, read_settings

_UNASKED: dict[str, Any] = {
    "modelType": "churn_risk",
    "namespace": "default",
    "policy": "none",
    "version": "none",
    "artifacts": {"path": "."},
}


def validate(
    *,
    model: Annotated[
        str | None, typer.Option(help="The model whose data is checked; churn_risk if nothing says.")
    ] = None,
    min_rows: Annotated[int | None, typer.Option(min=0, help="Members needed.")] = None,
    min_days: Annotated[int | None, typer.Option(min=0, help="Days of labelled history needed.")] = None,
    max_missing: Annotated[float | None, typer.Option(min=0, max=1, help="Share of missing values allowed.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Check the training data by what RETRAIN_REQUEST or the options ask; train nothing.

    Exit code 0: it can be trained on. 42: it cannot, and the reason says why with the count and the limit.
    """
    quality = {"minRows": min_rows, "minDays": min_days, "maxMissing": {"ratio": max_missing}}
    settings = read_settings()
    validate_data(read_request(settings, {"modelType": model, "dataQuality": quality}, _UNASKED), settings, as_json)


def validate_data(request: RetrainRequest, settings: Settings, as_json: bool) -> None:
    """Check the data, print every check, and leave the result for the operator.

    DataRejected if it is not good; whoever catches it tells the reason, and the checks to machines.
    """
    checks: Sequence[Check] = ()
    # A bucket that refuses is found out here, before a GPU is asked for.
    request.store.holds(request.version)
    try:
        with connect(settings.needed_database_url()) as connection:
            checks = run_checks(connection, request)
            require_good_data(checks)
            prepared = prepare(connection, request, {}, settings.resident_bytes)
    except DataRejected as rejection:
        rejection.checks = tuple(checks)
        if not as_json:
            _print(checks)
        raise
    held_out = int(prepared.split.holdout.sum())
    message = f"{len(prepared.dataset)} rows until {prepared.last}, {held_out} of them held out"
    warnings = [*warnings_of(checks), *prepared.warnings]
    document = {"reason": "Validated", "message": message, "warnings": warnings}
    _show(checks, document, as_json)
    checked = {"checks": [check.to_dict() for check in checks]}
    write_termination_message(settings.termination_log, document | checked)


def _show(checks: Sequence[Check], document: dict[str, Any], as_json: bool) -> None:
    if as_json:
        say(orjson.dumps(document).decode(), document | {"checks": [check.to_dict() for check in checks]}, as_json)
        return
    _print(checks)
    for warning in document.get("warnings", ()):
        say(f"warning: {warning}", {}, as_json)
    say(f"{document['reason']}: {document['message']}", {}, as_json)


def _print(checks: Sequence[Check]) -> None:
    table = Table("check", "result", "value", "limit", "what was found")
    for check in checks:
        result = "passed" if check.passed else check.action.value.lower()
        table.add_row(check.name, result, f"{check.value:g}", f"{check.limit:g}", check.message)
    if checks:
        Console().print(table)

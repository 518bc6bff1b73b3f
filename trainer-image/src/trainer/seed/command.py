"""`trainer seed`."""

from datetime import date, datetime, timedelta
from typing import Annotated, Any

import typer
from psycopg import Connection

from trainer.database import connect
from trainer.errors import BadConfiguration
from trainer.progress import say
from trainer.seed.parameters import Parameters
from trainer.seed.tables import Summary, delete_world, stored_parameters, write_world
from trainer.settings import read_settings

_DATE = ["%Y-%m-%d"]


def seed(  # noqa: PLR0913 - one parameter an option
    *,
    members: Annotated[int, typer.Option(min=1, max=100_000, help="Members of the platform.")] = 240,
    units: Annotated[int, typer.Option(min=1, max=10_000, help="Units of the platform.")] = 12,
    days: Annotated[int, typer.Option(min=2, max=5000, help="Days of history up to --until.")] = 400,
    until: Annotated[
        datetime | None, typer.Option(metavar="DATE", formats=_DATE, help="Last day of the world; today if left out.")
    ] = None,
    random_seed: Annotated[int, typer.Option("--seed", min=0, help="The same seed gives the same world.")] = 7,
    append: Annotated[
        bool, typer.Option("--append", help="Continue the world that is there to a later --until.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Begin anew: delete the world that is there.")] = False,
    concept_drift_from: Annotated[
        datetime | None,
        typer.Option(
            metavar="DATE", formats=_DATE, help="From this day on engaged members churn, and weeks begin calmly."
        ),
    ] = None,
    covariate_drift_from: Annotated[
        datetime | None,
        typer.Option(metavar="DATE", formats=_DATE, help="From this day on members are younger, and units larger."),
    ] = None,
    missing_from: Annotated[
        str | None,
        typer.Option(metavar="COLUMN", help="This column, of members or units, loses values: see the next two."),
    ] = None,
    missing_since: Annotated[
        datetime | None,
        typer.Option(metavar="DATE", formats=_DATE, help="The day from which it does; the first new day if left out."),
    ] = None,
    missing_ratio: Annotated[float, typer.Option(min=0, max=1, help="The share of values lost.")] = 0.4,
    new_column: Annotated[
        str | None, typer.Option(metavar="NAME", help="Record a strong, so far unrecorded factor in a new column.")
    ] = None,
    new_workload_column: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Record a factor of the units' cases, known ahead, in a new column."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Fill the database with a believable membership platform, reproducible by its seed.

    Weekly snapshots of each member go to member_snapshots, the present to profiles, who churns at present to
    world_truth, the daily cases of each unit to unit_workload, with what is known ahead of the next four weeks. Asked
    twice for the same world it changes nothing. DRY_RUN=true only says what would be written.
    """
    changes: dict[str, Any] = {
        "until": until.date() if until is not None else date.today(),  # noqa: DTZ011 - the platform's own calendar
        "concept_drift_from": _day(concept_drift_from),
        "covariate_drift_from": _day(covariate_drift_from),
        "missing_column": missing_from,
        "missing_from": _day(missing_since),
        "missing_ratio": missing_ratio if missing_from is not None else None,
        "new_column": new_column,
        "new_workload_column": new_workload_column,
    }
    changes = {name: value for name, value in changes.items() if value is not None}
    if append and replace:
        raise BadConfiguration("--append continues a world and --replace deletes it: choose one")
    settings = read_settings()
    with connect(settings.needed_database_url()) as connection:
        before = stored_parameters(connection)
        if append:
            parameters = _continued(before, changes)
        else:
            start = changes["until"] - timedelta(days=days - 1)
            parameters = _begun(changes | {"seed": random_seed, "members": members, "units": units, "start": start})
        _refuse_overwriting(before, parameters, may_overwrite=append or replace)
        if settings.dry_run:
            world = parameters.to_dict()
            wishes = ", ".join(f"{name} {value}" for name, value in world.items() if value is not None)
            say(f"would write a world of {wishes}", {"world": world}, as_json)
            return
        summary = _written(connection, parameters, before, replace=replace)
    say(_sentence(summary), _document(summary), as_json)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _begun(values: dict[str, Any]) -> Parameters:
    return _checked(Parameters(**_with_missing_from(values, values["start"])))


def _continued(before: Parameters | None, changes: dict[str, Any]) -> Parameters:
    if before is None:
        raise BadConfiguration("there is no world to continue: seed one without --append first")
    return _checked(before.continued(_with_missing_from(changes, before.until + timedelta(days=1))))


def _with_missing_from(values: dict[str, Any], first_new_day: date) -> dict[str, Any]:
    if "missing_column" in values:
        return {"missing_from": first_new_day} | values
    if "missing_from" in values:
        raise BadConfiguration("--missing-since needs --missing-from COLUMN")
    return values


def _checked(parameters: Parameters) -> Parameters:
    known = {*parameters.columns, *parameters.workload_columns}
    if parameters.missing_column is not None and parameters.missing_column not in known:
        raise BadConfiguration(f"there is no column {parameters.missing_column} to lose values")
    return parameters


def _refuse_overwriting(before: Parameters | None, parameters: Parameters, *, may_overwrite: bool) -> None:
    if before is not None and before != parameters and not may_overwrite:
        raise BadConfiguration(f"a world until {before.until} is there: use --append or --replace")


def _written(connection: Connection, parameters: Parameters, before: Parameters | None, *, replace: bool) -> Summary:
    if replace:
        delete_world(connection)
        before = None
    return write_world(connection, parameters, before)


def _document(summary: Summary) -> dict[str, Any]:
    return {
        "world": summary.parameters.to_dict(),
        "rows": summary.rows,
        "labelledRows": summary.labelled,
        "rowsBeforeConceptDrift": summary.rows_before_drift,
        "rowsSinceConceptDrift": summary.rows_since_drift,
        "churnedNow": summary.churned_now,
    }


def _sentence(summary: Summary) -> str:
    world = summary.parameters
    drift = (
        f"; concept drift from {world.concept_drift_from}: {summary.rows_before_drift} rows before, "
        f"{summary.rows_since_drift} since"
        if world.concept_drift_from is not None
        else ""
    )
    return (
        f"{world.members} {'member' if world.members == 1 else 'members'}, {summary.rows} snapshots from {world.start} "
        f"to {world.until}, {summary.labelled} with a known outcome; {summary.churned_now:.0%} churn at present{drift}"
    )

"""Looks at the training table and the population, and says which checks pass.

Names of violations are SageMaker Model Monitor's where it has one (`completeness_check`, `missing_column_check`).
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date

from psycopg import Connection
from psycopg.sql import SQL, Composable, Composed, Identifier, Literal

from trainer.database import column_types
from trainer.dataset.columns import feature_columns
from trainer.dataset.reading import in_window, newest_labelled_day
from trainer.errors import DataRejected
from trainer.models.base import FeatureKind, ModelDefinition
from trainer.outcome import Action, Check
from trainer.request import DataQuality, OutlierRule, RetrainRequest


def run_checks(connection: Connection, request: RetrainRequest) -> list[Check]:
    """Return every check with its outcome, those that reject by themselves first.

    DataRejected at once if there is nothing to look at: no table, no column that matters, no row with an outcome.
    """
    model, quality = request.model, request.data_quality
    types = column_types(connection, model.table)
    kinds = feature_columns(model, types, request.data.features)
    last = newest_labelled_day(connection, model) - request.data.label_delay
    rows = in_window(model, last, request.data.window)
    checks = [_row_count(connection, model, quality), _history(connection, model, quality, rows)]
    checks += _completeness(connection, model, quality, kinds, rows)
    checks += (_outliers(connection, model, rule, types, rows) for rule in quality.outliers)
    return checks


def warnings_of(checks: Sequence[Check]) -> list[str]:
    """Return a sentence for each check that does not pass but lets the data through."""
    return [f"{check.name}: {check.message}" for check in checks if not check.passed and check.action is Action.WARN]


def require_good_data(checks: Sequence[Check]) -> None:
    """Raise DataRejected, with the first reason and the number of further ones, if a check that rejects fails."""
    failed = [check for check in checks if not check.passed and check.action is Action.REJECT]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        message = f"{failed[0].message}{more}"
        raise DataRejected(failed[0].reason, message, checks=checks, warnings=warnings_of(checks))


def _row_count(connection: Connection, model: ModelDefinition, quality: DataQuality) -> Check:
    population = model.population
    query = SQL("select count(*) from {}").format(Identifier(population.table))
    if population.role_column is not None:
        query += SQL(" where {} = {}").format(Identifier(population.role_column), Literal(population.role))
    count = int(str(_only_row(connection, query)[0]))
    return Check(
        name="row_count_check",
        passed=count >= quality.min_rows,
        value=count,
        limit=quality.min_rows,
        action=Action.REJECT,
        reason="InsufficientRows",
        message=f"{count} {population.noun}, at least {quality.min_rows} are needed",
    )


def _history(connection: Connection, model: ModelDefinition, quality: DataQuality, rows: Composed) -> Check:
    query = SQL("select min({day}), max({day}) from {table} where {label} is not null and {rows}").format(
        day=Identifier(model.date_column),
        table=Identifier(model.table),
        label=Identifier(model.label_column),
        rows=rows,
    )
    first, last = _only_row(connection, query)
    days = (last - first).days + 1 if isinstance(first, date) and isinstance(last, date) else 0
    return Check(
        name="history_check",
        passed=days >= quality.min_days,
        value=days,
        limit=quality.min_days,
        action=Action.REJECT,
        reason="InsufficientHistory",
        message=f"{days} days of rows with a known outcome, at least {quality.min_days} are needed",
    )


def _completeness(
    connection: Connection,
    model: ModelDefinition,
    quality: DataQuality,
    kinds: Mapping[str, FeatureKind],
    rows: Composed,
) -> Iterator[Check]:
    counts = SQL(", ").join([SQL("count(*)"), *(SQL("count({})").format(Identifier(name)) for name in kinds)])
    query = SQL("select {} from {} where {} is not null and {}").format(
        counts, Identifier(model.table), Identifier(model.label_column), rows
    )
    total, *present = (int(str(value)) for value in _only_row(connection, query))
    limit = quality.max_missing.ratio
    for name, count in zip(kinds, present, strict=True):
        ratio = 1 - count / max(1, total)
        yield Check(
            name="completeness_check",
            passed=ratio <= limit,
            value=round(ratio, 4),
            limit=limit,
            action=quality.max_missing.action,
            reason="MissingValues",
            message=f"{ratio:.1%} of {name} missing, at most {limit:.1%} may be",
            column=name,
        )


def _outliers(
    connection: Connection, model: ModelDefinition, rule: OutlierRule, types: Mapping[str, str], rows: Composed
) -> Check:
    if rule.column not in types:
        return Check(
            name="missing_column_check",
            passed=False,
            value=1,
            limit=0,
            action=rule.action,
            reason="MissingColumn",
            message=f"the column {rule.column}, to be looked at for outliers, is not in {model.table}",
            column=rule.column,
        )
    query = SQL("select count(*) from {} where ({}) and {}").format(Identifier(model.table), _beyond(rule), rows)
    count = int(str(_only_row(connection, query)[0]))
    return Check(
        name="outlier_check",
        passed=count == 0,
        value=count,
        limit=0,
        action=rule.action,
        reason="Outliers",
        message=f"{count} rows with {rule.column} {_range(rule)}",
        column=rule.column,
    )


def _beyond(rule: OutlierRule) -> Composable:
    column = Identifier(rule.column)
    bounds = [SQL("{} < {}").format(column, Literal(rule.min))] if rule.min is not None else []
    if rule.max is not None:
        bounds.append(SQL("{} > {}").format(column, Literal(rule.max)))
    return SQL(" or ").join(bounds) if bounds else SQL("false")


def _range(rule: OutlierRule) -> str:
    below = f"below {rule.min:g}" if rule.min is not None else ""
    above = f"above {rule.max:g}" if rule.max is not None else ""
    return " or ".join(filter(None, (below, above))) or "without bounds"


def _only_row(connection: Connection, query: Composed) -> tuple[object, ...]:
    row = connection.execute(query).fetchone()
    assert row is not None  # noqa: S101 - an aggregate has one row
    return tuple(row)

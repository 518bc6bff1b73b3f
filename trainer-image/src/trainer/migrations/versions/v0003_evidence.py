"""What the monitor counts is kept by the hour; intervals of forecasts; who had how much of the traffic when."""

from alembic import op

revision = "0003"
down_revision = "0002"

_STATEMENTS = (
    # Of a forecast: the 80 % interval around it.
    "alter table ml_predictions add column interval_low double precision, add column interval_high double precision",
    # Confidences by the hour in which they were predicted, outcomes by the hour in which they were observed. Counters
    # are sums of these rows, so that neither a restart nor a round of the monitor reads all predictions ever made.
    """
    create table ml_prediction_hours (
        model_type text not null,
        hour timestamptz not null,
        model_version text not null,
        confidence_sum numeric not null default 0,
        confidence_count bigint not null default 0,
        unlabelled bigint not null default 0,
        correct bigint not null default 0,
        incorrect bigint not null default 0,
        forecasts bigint not null default 0,
        absolute_error_sum numeric not null default 0,
        actual_sum numeric not null default 0,
        error_squares double precision not null default 0,
        actual_squares double precision not null default 0,
        error_actual double precision not null default 0,
        covered bigint not null default 0,
        uncovered bigint not null default 0,
        primary key (model_type, hour, model_version)
    )
    """,
    # The share of traffic, in percent, that the version has from an entry on. Those that are there already say it by
    # what they are; this is the one time that they are touched.
    "alter table model_ledger add column weight smallint check (weight between 0 and 100)",
    "alter table model_ledger disable trigger model_ledger_append_only",
    "update model_ledger set weight = case event when 'Promoted' then 100 when 'RolledBack' then 0 end",
    "alter table model_ledger enable trigger model_ledger_append_only",
    # Who was champion from when to when, and why; `until` is null for the one who is.
    """
    create view model_champions as
    select namespace, model_type, version, at as since,
           lead(at) over (partition by namespace, model_type order by at, id) as until, event, reason, message, run
    from model_ledger where weight = 100
    """,
    # When two versions shared the traffic of a model: the candidate, its weight, and the champion beside it.
    """
    create view model_canaries as
    select namespace, model_type, version, weight, since, until,
           (select champion.version from model_ledger champion
            where champion.namespace = each.namespace and champion.model_type = each.model_type
              and champion.weight = 100 and champion.at <= each.since
            order by champion.at desc, champion.id desc limit 1) as champion
    from (select namespace, model_type, version, weight, at as since,
                 lead(at) over (partition by namespace, model_type order by at, id) as until
          from model_ledger where weight is not null) as each
    where weight between 1 and 99
    """,
    # The guide's column: whether the model was shared between this prediction's version and another when it was made.
    """
    create view ml_predictions_ab as
    select p.*, exists (
        select from model_canaries c
        where c.model_type = p.model_type and p.model_version in (c.version, c.champion)
          and p.predicted_at >= c.since and (c.until is null or p.predicted_at < c.until)
    ) as is_ab_test
    from ml_predictions p
    """,
)


def upgrade() -> None:
    """Add the columns and the table."""
    for statement in _STATEMENTS:
        op.execute(statement)

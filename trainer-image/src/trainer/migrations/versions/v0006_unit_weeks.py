"""The weekly cases of each unit, and what a server needs to forecast the next ones."""

from alembic import op

revision = "0006"
down_revision = "0005"

_STATEMENTS = (
    # Whole weeks from Monday on, of days that the daily table has; those to come have what is known of them. `cases` is
    # null until each day of the week is counted.
    """
    create view unit_workload_weeks as
    select unit_id, date_trunc('week', day::timestamp)::date as week, avg(members)::double precision as members,
           count(*) filter (where is_holiday)::integer as holidays,
           count(*) filter (where dues_run)::integer as dues_days,
           case when count(cases) = 7 then sum(cases)::integer end as cases,
           case when count(cases) = 7 then max(outcome_at) end as outcome_at
    from unit_workload group by 1, 2 having count(*) = 7
    """,
    # Each unit's last 68 weeks of cases, ending with the newest that is counted, and what is known of the weeks after
    # it; 68 are a year and four months, which is as far as the features of a forecast look back.
    """
    create view unit_workload_weeks_live as
    with weeks as materialized (select * from unit_workload_weeks)
    select newest.unit_id, newest.origin,
           (select array_agg(w.cases::double precision order by each.week)
            from generate_series(newest.origin - 469, newest.origin, interval '7 days') as each (week)
            left join weeks w on w.unit_id = newest.unit_id and w.week = each.week::date) as history,
           (select coalesce(jsonb_object_agg(w.week, to_jsonb(w) - '{unit_id,week,cases,outcome_at}'::text[]), '{}')
            from weeks w where w.unit_id = newest.unit_id and w.week > newest.origin) as ahead
    from (select unit_id, max(week) as origin from weeks where cases is not null group by unit_id) as newest
    """,
)


def upgrade() -> None:
    """Create the views of the weekly workload forecast."""
    for statement in _STATEMENTS:
        op.execute(statement)

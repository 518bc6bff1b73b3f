"""The daily cases of each unit, and what a server needs to forecast the next ones."""

from alembic import op

revision = "0002"
down_revision = "0001"

_STATEMENTS = (
    # One row a unit and day. What is known ahead (holidays, planned actions) has rows for days to come; `cases` is
    # null until the day is over and counted.
    """
    create table unit_workload (
        unit_id text not null,
        day date not null,
        members integer,
        is_holiday boolean,
        dues_run boolean,
        cases integer,
        outcome_at date,
        primary key (unit_id, day)
    )
    """,
    "create index unit_workload_day on unit_workload (day)",
    # Each unit's last 420 days of cases, ending with the newest that is counted, and what is known of the days after
    # it; 420 are 52 weeks and two months, which is as far as the features of a forecast look back. A column that is
    # added to the table is in `ahead` without a change here: to_jsonb takes the whole row.
    """
    create view unit_workload_live as
    select newest.unit_id, newest.origin,
           (select array_agg(w.cases::double precision order by each.day)
            from generate_series(newest.origin - 419, newest.origin, interval '1 day') as each (day)
            left join unit_workload w on w.unit_id = newest.unit_id and w.day = each.day::date) as history,
           (select coalesce(jsonb_object_agg(w.day, to_jsonb(w) - array['unit_id', 'day', 'cases', 'outcome_at']), '{}')
            from unit_workload w
            where w.unit_id = newest.unit_id and w.day > newest.origin and w.day <= newest.origin + 62) as ahead
    from (select unit_id, max(day) as origin from unit_workload where cases is not null group by unit_id) as newest
    """,
)


def upgrade() -> None:
    """Create the table of the workload forecast and its live view."""
    for statement in _STATEMENTS:
        op.execute(statement)

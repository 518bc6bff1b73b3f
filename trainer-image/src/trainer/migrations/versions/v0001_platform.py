"""The platform's tables, as the metrics contract names them."""

from alembic import op

revision = "0001"
down_revision = None

_FEATURES = """
    union_tenure_years double precision,
    member_age double precision,
    engagement_score double precision,
    meetings_attended integer,
    open_cases integer,
    case_resolution_days double precision,
    late_dues integer,
    is_steward boolean,
    contract_type text
"""

_STATEMENTS = (
    f"""
    create table profiles (
        id text primary key,
        role text not null default 'member',
        {_FEATURES}
    )
    """,
    "create index profiles_role on profiles (role)",
    f"""
    create table member_snapshots (
        member_id text not null,
        as_of date not null,
        {_FEATURES},
        churned boolean,
        outcome_at date,
        primary key (member_id, as_of)
    )
    """,
    # The training window is a range of dates; the monitor counts the same way.
    "create index member_snapshots_as_of on member_snapshots (as_of)",
    """
    create table ml_predictions (
        id uuid primary key default gen_random_uuid(),
        model_type text not null,
        model_version text not null,
        user_id text,
        predicted_at timestamptz not null default now(),
        prediction double precision not null,
        predicted_label boolean,
        confidence_score double precision,
        response_time_ms double precision,
        features jsonb
    )
    """,
    # The guide's queries: one model's last days.
    "create index ml_predictions_recent on ml_predictions (model_type, predicted_at)",
    # The monitor counts by version since where it last stopped.
    "create index ml_predictions_version on ml_predictions (model_type, model_version, predicted_at)",
    """
    create table ml_outcomes (
        prediction_id uuid primary key references ml_predictions (id) on delete cascade,
        actual double precision not null,
        observed_at timestamptz not null default now()
    )
    """,
    "create index ml_outcomes_observed on ml_outcomes (observed_at)",
    """
    create table model_metadata (
        namespace text not null,
        model_type text not null,
        version text not null,
        accuracy double precision,
        trained_at timestamptz not null default now(),
        is_active boolean not null default false,
        metrics jsonb,
        run text,
        digest text,
        feature_schema jsonb,
        reference jsonb,
        primary key (namespace, model_type, version)
    )
    """,
    "create unique index model_metadata_one_active on model_metadata (namespace, model_type) where is_active",
    """
    create table model_ledger (
        id bigserial primary key,
        namespace text not null,
        model_type text not null,
        version text not null,
        event text not null,
        reason text not null default '',
        message text not null default '',
        run text,
        at timestamptz not null default now()
    )
    """,
    "create index model_ledger_history on model_ledger (namespace, model_type, at)",
    # Append-only also for whoever holds the role: history that can be edited proves nothing.
    """
    create function model_ledger_is_append_only() returns trigger language plpgsql as $$
    begin
        raise exception 'model_ledger is append-only';
    end $$
    """,
    """
    create trigger model_ledger_append_only before update or delete or truncate on model_ledger
        for each statement execute function model_ledger_is_append_only()
    """,
)


def upgrade() -> None:
    """Create everything; the tables of the metrics contract and their indexes."""
    for statement in _STATEMENTS:
        op.execute(statement)

"""What the monitor and the report ask of ten million predictions of a week: how long it takes, and by which plan.

    python -m tests.bench.ten_million [ROWS] > build/ten-million.md

A real Postgres with its own defaults, filled by generate_series; the very statements of the monitor, explained by
auto_explain while they run. Times depend on the machine; plans and buffers do not.
"""

import asyncio
import sys
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import psycopg

from tests.artifacts import reference
from tests.postgres import running_postgres
from trainer.daemon.postgres import Connection, Database
from trainer.migrations import migrate
from trainer.monitor.drift import measure_drift
from trainer.monitor.totals import Counters
from trainer.report.figures import Period, read_figures

ROWS = 10_000_000
TYPES = ("churn_risk", "workload_forecast")
EXPLAIN = (
    "-c session_preload_libraries=auto_explain -c auto_explain.log_min_duration=0 -c auto_explain.log_analyze=on "
    "-c auto_explain.log_buffers=on -c auto_explain.log_timing=off -c client_min_messages=log"
)

# A fifth are forecasts, a fifth of the rest the candidate's; every second has an outcome within the hour.
_PREDICTIONS = """
    INSERT INTO ml_predictions (id, model_type, model_version, user_id, predicted_at, prediction, predicted_label,
                                confidence_score, response_time_ms, features, interval_low, interval_high)
    SELECT (lpad(to_hex((extract(epoch FROM at) * 1000)::bigint), 12, '0') || '7' || substr(md5(n::text), 1, 3) || '8'
            || substr(md5(n::text), 4, 15))::uuid,
           CASE WHEN n %% 5 = 0 THEN 'workload_forecast' ELSE 'churn_risk' END,
           CASE WHEN n %% 10 IN (1, 5) THEN 'v2' ELSE 'v1' END,
           'member-' || (random() * 49999)::int, at,
           CASE WHEN n %% 5 = 0 THEN 40 + 10 * random() ELSE random() END,
           CASE WHEN n %% 5 <> 0 THEN random() < 0.3 END, 0.5 + random() / 2, 0.2 + 3 * random() ^ 4,
           format('{"union_tenure_years": %%s, "member_age": %%s, "engagement_score": %%s, "meetings_attended": %%s, '
                  '"open_cases": %%s, "case_resolution_days": %%s, "late_dues": 1, "is_steward": %%s, '
                  '"contract_type": "%%s"}',
                  round((random() * 30)::numeric, 2), 20 + (random() * 50)::int, round((random() * 100)::numeric, 1),
                  (random() * 12)::int, (random() * 3)::int, round((random() * 60)::numeric, 1), (random() < 0.1)::text,
                  (ARRAY['agency', 'fixed_term', 'permanent'])[1 + (random() * 2)::int])::jsonb,
           CASE WHEN n %% 5 = 0 THEN 38 END, CASE WHEN n %% 5 = 0 THEN 52 END
    FROM generate_series(%(first)s, %(last)s) AS n,
         LATERAL (SELECT %(now)s - interval '7 days' * (1 - n / %(rows)s::float8) AS at) AS t
"""
_OUTCOMES = """
    INSERT INTO ml_outcomes
    SELECT id, CASE WHEN model_type = 'workload_forecast' THEN prediction + 16 * (random() - 0.5)
                    ELSE (predicted_label AND random() < 0.85 OR random() < 0.1)::int END,
           predicted_at + interval '1 hour' * random()
    FROM ml_predictions WHERE hashtext(id::text) %% 2 = 0 AND predicted_at < %(now)s - interval '1 hour'
"""
_VERSIONS = """
    INSERT INTO model_metadata (namespace, model_type, version, is_active, reference)
    SELECT 'members', type, version, version = 'v1', %s
    FROM unnest(%s::text[]) AS type, unnest(ARRAY['v1', 'v2']) AS version
"""


def fill(url: str, rows: int, now: datetime) -> None:
    """Write a week of predictions up to now; indexes and keys are built afterwards, which is quicker."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        with _without_indexes(connection):
            for first in range(1, rows + 1, 1_000_000):
                span = {"first": first, "last": min(rows, first + 999_999), "rows": rows, "now": now}
                connection.execute(_PREDICTIONS, span)
                print(f"{span['last']} predictions", file=sys.stderr, flush=True)
            connection.execute(_OUTCOMES, {"now": now})
        connection.execute(_VERSIONS, (psycopg.types.json.Jsonb(reference().to_document()), list(TYPES)))
        connection.execute("VACUUM ANALYZE")


@contextmanager
def _without_indexes(connection: psycopg.Connection) -> Iterator[None]:
    tables = ("ml_predictions", "ml_outcomes")
    indexes = connection.execute(
        "SELECT indexname, indexdef FROM pg_indexes WHERE tablename = ANY(%s) AND indexname NOT LIKE '%%pkey'",
        (list(tables),),
    ).fetchall()
    for name, _ in indexes:
        connection.execute(psycopg.sql.SQL("DROP INDEX {}").format(psycopg.sql.Identifier(name)))
    yield
    for _, definition in indexes:
        connection.execute(definition.encode())


class Stopwatch:
    """Runs what is to be timed and tells of it, plans included."""

    def __init__(self, connection: Connection) -> None:
        self._plans: list[str] = []
        connection.add_notice_handler(lambda notice: self._plans.append(notice.message_primary or ""))

    async def time(self, what: str, asking: Awaitable[Any]) -> None:
        """Await it, print the seconds, and the plan of its slowest statement."""
        self._plans.clear()
        started = time.monotonic()
        await asking
        seconds = time.monotonic() - started
        print(f"\n## {what}: {seconds:.2f} s\n")
        if plans := [plan for plan in self._plans if plan.startswith("duration: ")]:
            slowest = max(plans, key=lambda plan: float(plan.split()[1]))
            print(f"{len(plans)} statements; the slowest:\n\n```\n{_plan_of(slowest)}\n```", flush=True)


def _plan_of(plan: str) -> str:
    """Return the plan without the statement's text."""
    head, _, rest = plan.partition("\n")
    lines = rest.splitlines()
    first = next(index for index, line in enumerate(lines) if "(cost=" in line)
    return "\n".join([head.split(" plan:")[0], *lines[first:]])


async def measure(url: str, now: datetime) -> None:
    """Time what the monitor does each round, after a restart and the first time, and the report."""
    database = Database(f"{url}?options={quote(EXPLAIN)}", "bench", statement_seconds=120)
    types, counters = frozenset(TYPES), Counters()
    async with await database.connect() as connection:
        watch = Stopwatch(connection)
        started = time.monotonic()
        while {model_type for model_type, _ in await counters.count(connection, types, now)} != types:
            pass
        print(f"\n## counting a week for the first time: {time.monotonic() - started:.2f} s, in rounds of some 30 s")
        counters = Counters()
        await watch.time("a round right after a restart", counters.count(connection, types, now))
        for _ in range(14):  # until the hours that are counted once more are some of the week's
            await counters.count(connection, types, now)
        await watch.time("a round", counters.count(connection, types, now))
        await watch.time("drift of four versions", measure_drift(connection, "members", types))
        period = Period(since=now - timedelta(days=7), until=now, zone=ZoneInfo("Europe/Berlin"))
        await watch.time("the report's figures", read_figures(connection, "members", TYPES, period, ()))


def main() -> None:
    """Fill and measure."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with running_postgres() as url:
        migrate(url)
        with psycopg.connect(url) as connection:
            [(now,)] = connection.execute("SELECT now()").fetchall()
        fill(url, rows, now)
        print(f"# {rows} predictions of a week\n")
        with psycopg.connect(url) as connection:
            sizes = """SELECT relname, pg_size_pretty(pg_relation_size(oid)) FROM pg_class
                       WHERE relname LIKE 'ml\\_%' AND relkind IN ('r', 'i') ORDER BY 1"""
            print("\n".join(f"* `{name}` {size}" for name, size in connection.execute(sizes)), flush=True)
        asyncio.run(measure(url, now))


if __name__ == "__main__":
    main()

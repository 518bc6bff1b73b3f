"""Peak memory of `trainer train` at 5 million rows ÷ that at 100 thousand, TensorFlow's import subtracted; limit 1.2.

A table of the platform's shape is made by SQL in a Postgres of its own; each training is a process of its own, whose
peak resident set the kernel tells. A forecast's rows are a unit's day, seen from each of the fourteen days before it.
`python -m bench.memory MODEL [ROWS …]`.
"""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson
import psycopg
from tests.postgres import running_postgres
from tests.requests import environment_of, request_document

from trainer.migrations import migrate
from trainer.models import find_model

_FEW, _MANY = 100_000, 5_000_000
_DAYS = 360
_QUICK = {"epochs": 2, "batchSize": 1024}
_SNAPSHOTS = """
    insert into member_snapshots (member_id, as_of, union_tenure_years, member_age, engagement_score, meetings_attended,
        open_cases, case_resolution_days, late_dues, is_steward, contract_type, churned, outcome_at)
    select 'member-' || n / {days}, '2026-11-21'::date - n % {days}, 20 * x, 18 + 50 * y, 100 * z, (10 * x)::int,
           (6 * y)::int, 30 * z, (4 * random())::int, random() < 0.1,
           (array['permanent', 'fixed_term', 'agency'])[1 + n % 3], x - y + z + 0.8 * random() > 1,
           '2026-11-22'::date - n % {days}
    from (select n, random() as x, random() as y, random() as z from generate_series(0, {rows} - 1) as n) as drawn
"""
# A year of targets, and before it what the first of them looks back on.
_WORKLOAD = """
    insert into unit_workload (unit_id, day, members, is_holiday, dues_run, cases, outcome_at)
    select 'unit-' || unit, '2026-11-21'::date - ago, size, ago % 91 = 0, ago % 30 < 3,
           (size * 0.03 * (1.3 + sin(ago * 2 * pi() / 7)) * (0.9 + 0.2 * random()))::int, '2026-11-22'::date - ago
    from (select unit, (800 * exp(random()))::int as size
          from generate_series(1, {rows} / ({days} * {horizon})) as unit) as drawn,
         generate_series(0, {days} + {context} - 1) as ago
"""
_TABLES = {"churn_risk": ("member_snapshots", _SNAPSHOTS), "workload_forecast": ("unit_workload", _WORKLOAD)}
_FIGURE = {"churn_risk": "auc", "workload_forecast": "accuracy"}
_PEAK = (
    "import sys, resource\n{program}\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024, file=sys.stderr)"
)
_IMPORT = "import trainer.training.network, trainer.training.procedure"
_TRAIN = "import trainer.__main__ as m\ntry: m.main()\nexcept SystemExit as end: assert not end.code, end.code"


def main() -> None:
    """Print the peak for each number of rows, and the ratio of the last to the first."""
    model, *given = sys.argv[1:] or ["churn_risk"]
    counts = [int(argument) for argument in given] or [_FEW, _MANY]
    imported, _ = _peak(_IMPORT, {})
    print(f"TensorFlow and the trainer imported: {imported / 1e6:.0f} MB")
    peaks = []
    with running_postgres() as url:
        migrate(url)
        with psycopg.connect(url) as connection:
            connection.execute("insert into profiles (id) select 'member-' || n from generate_series(1, 1000) as n")
        for rows in counts:
            _fill(url, model, rows)
            with tempfile.TemporaryDirectory() as artifacts:
                document = request_document(Path(artifacts), "v1", modelType=model, hyperparameters=_QUICK)
                started = time.perf_counter()
                peak, result = _peak(_TRAIN, environment_of(document, url))
                seconds = time.perf_counter() - started
            peaks.append(peak - imported)
            found = orjson.loads(result.splitlines()[-1])
            fitted, figure = found["data"]["trainRows"], found["metrics"]["candidate"][_FIGURE[model]]
            above = f"{peak / 1e6:.0f} MB, {peaks[-1] / 1e6:.0f} MB above the import"
            print(
                f"{rows:>9,} rows, {fitted:,} fitted: peak {above}, {seconds:.0f} s, {_FIGURE[model]} {figure:.4f}",
                flush=True,
            )
    print(f"peak at {counts[-1]:,} rows ÷ peak at {counts[0]:,}: {peaks[-1] / peaks[0]:.2f} (limit 1.2)")


def _fill(url: str, model: str, rows: int) -> None:
    table, filling = _TABLES[model]
    definition = find_model(model)
    windows = definition.windows if definition is not None else None
    horizon, context = (windows.horizon, windows.context) if windows is not None else (1, 0)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"truncate {table}".encode())
        connection.execute("select setseed(0.5)")
        connection.execute(filling.format(rows=rows, days=_DAYS, horizon=horizon, context=context).encode())
        connection.execute(f"vacuum analyze {table}".encode())


def _peak(program: str, environment: dict[str, str]) -> tuple[int, str]:
    """Return the peak resident set of a process in bytes, and what it printed."""
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", _PEAK.format(program=program), "train", "--json"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "src", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return int(done.stderr.splitlines()[-1]), done.stdout


if __name__ == "__main__":
    main()

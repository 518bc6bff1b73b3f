"""How long a backtest decides by itself, printed: `python -m tests.bench.backtest [days]`. What Prometheus needs is not in it.

Ten triggers over 30 days at steps of five minutes: of a model that decays once, and of one whose figures pass their bounds at every other
step, so that a whole round is decided at each.
"""

import asyncio
import sys
from collections.abc import Callable
from datetime import datetime, timedelta

from retrainer.cli.backtest.command import as_applied_then, backtest, span_until
from retrainer.cli.backtest.history import History
from tests.builders import a_policy
from tests.property.test_backtest import NOW, MadeUp, falls

STEP = timedelta(minutes=5)
BOUNDS = {
    "Accuracy": {"min": 0.7}, "Confidence": {"min": 0.7}, "FeatureDrift": {"max": 0.8}, "PredictionDrift": {"max": 0.8},
    "Latency": {"max": 0.8}, "ErrorRate": {"max": 0.8},
}  # fmt: skip
TRIGGERS = [
    *({"name": preset.lower(), "metric": {"preset": preset, **bound, "window": "1d"}} for preset, bound in BOUNDS.items()),
    {"name": "drop", "metric": {"preset": "Accuracy", "max_drop": 0.05, "window": "7d"}},
    {"name": "monthly", "schedule": {"cron": "0 3 1 * *"}},
    {"name": "columns", "schema": {}},
    {"name": "paged", "alert": {"match_labels": {"alertname": "ModelDrift"}}},
]


def flaps(at: datetime) -> float:
    """0.6 and 0.9 by turns, from step to step."""
    return 0.6 if (NOW - at) // STEP % 2 else 0.9


def main() -> None:
    """Print a line for each model."""
    days = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    models: dict[str, Callable[[datetime], float]] = {"decays once": falls, "flaps at every step": flaps}
    span = span_until(NOW, timedelta(days=days), STEP)
    for what, figure in models.items():
        policy = as_applied_then("members", "churn-risk", a_policy(triggers=TRIGGERS).spec, span)
        found = asyncio.run(backtest(policy, span, History(MadeUp(figure)), run_takes=timedelta(hours=1)))
        size = f"{days} days, {len(span.moments)} steps, {len(TRIGGERS)} triggers"
        print(f"{size}, a model that {what}: decided in {found.decided_in_s:.1f} s, {len(found.replay.runs)} runs", flush=True)


if __name__ == "__main__":
    main()

"""`backtest` over a past that the test makes up: what would have fired is told by the operator's own decisions."""

import asyncio
import io
import json
import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from rich.console import Console
from typing_extensions import override

from retrainer.api.v1alpha1 import ModelRetrainPolicySpec
from retrainer.cli.backtest.command import Backtest, as_applied_then, backtest, span_until
from retrainer.cli.backtest.history import History, Prometheus
from retrainer.cli.backtest.shown import shown, wire
from tests.builders import a_policy

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
Figure = Callable[[datetime], float | None]
STEP = timedelta(minutes=30)


class MadeUp(Prometheus):
    """Prometheus' API over a past that is made up: the value of each series at a moment, by what its query names."""

    def __init__(self, accuracy: Figure, versions: Callable[[datetime], str] = lambda _: "v1", alert: Figure = lambda _: None) -> None:
        self._accuracy = accuracy
        self._versions = versions
        self._alert = alert
        self.asked: list[str] = []

    @override
    async def query_range(self, parameters: Mapping[str, str]) -> Mapping[str, Any]:
        self.asked.append(parameters["query"])
        start, end, step = (float(parameters[name]) for name in ("start", "end", "step"))
        moments = [datetime.fromtimestamp(start + number * step, UTC) for number in range(int((end - start) / step) + 1)]
        found: dict[str, list[list[object]]] = {}
        for at in moments:
            value = self._value(parameters["query"], at)
            if value is not None:
                found.setdefault(self._versions(at), []).append([at.timestamp(), str(value)])
        return {
            "status": "success",
            "data": {"resultType": "matrix", "result": [self._series(parameters["query"], *one) for one in found.items()]},
        }

    def _value(self, promql: str, at: datetime) -> float | None:
        accuracy = self._accuracy(at)
        if "ALERTS" in promql:
            return self._alert(at)
        if "retrainer_predictions_total" in promql:
            return 500.0
        if accuracy is None:
            return None
        return accuracy if 'correct="true"' in promql else 1000.0

    def _series(self, promql: str, version: str, values: list[list[object]]) -> dict[str, object]:
        labels = {"namespace": "members", "model_type": "churn_risk", "model_version": version}
        alert = {"alertname": "ModelDrift", "alertstate": "firing", "namespace": "members", "__name__": "ALERTS"}
        return {"metric": alert if "ALERTS" in promql else labels, "values": values}


def run(past: MadeUp, *, days: int = 30, takes: timedelta = timedelta(hours=1), **spec: Any) -> Backtest:  # noqa: ANN401 - fields of the spec
    span = span_until(NOW, timedelta(days=days), STEP)
    written: ModelRetrainPolicySpec = a_policy(**spec).spec
    return asyncio.run(backtest(as_applied_then("members", "churn-risk", written, span), span, History(past), run_takes=takes))


def accuracy(**more: object) -> dict[str, object]:
    return {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.7, "min_samples": 100, "window": "1d", **more}}


def falls(at: datetime, *, day: float = 20) -> float:
    """0.9 until ten days ago, 0.6 since."""
    return 0.9 if at < NOW - timedelta(days=30 - day) else 0.6


def started(found: Backtest) -> list[tuple[str, datetime]]:
    return [(one.spec.trigger, one.identity.created) for one in found.replay.runs.values()]


def test_a_threshold_that_was_passed_starts_one_run_and_no_other_while_it_stays_so() -> None:
    found = run(MadeUp(falls), triggers=[accuracy()])
    [(trigger, at)] = started(found)
    assert trigger == "accuracy"
    assert at == NOW - timedelta(days=10)


def test_a_condition_must_hold_for_as_long_as_the_policy_asks() -> None:
    found = run(MadeUp(falls), triggers=[accuracy(**{"for": "2h"})])
    assert [at for _, at in started(found)] == [NOW - timedelta(days=10) + timedelta(hours=2)]


def test_a_drop_is_measured_against_the_champions_first_figures() -> None:
    drop = {"name": "drop", "metric": {"preset": "Accuracy", "max_drop": 0.05, "min_samples": 100, "window": "1d"}}
    [(_, at)] = started(run(MadeUp(falls), triggers=[drop]))
    assert at == NOW - timedelta(days=10)
    assert started(run(MadeUp(lambda at: 0.9 - 0.04 * (at > NOW - timedelta(days=9))), triggers=[drop])) == []


def test_what_was_refused_and_why_is_told() -> None:
    flips = lambda at: 0.6 if (NOW - at).total_seconds() / 3600 % 2 < 1 else 0.9  # noqa: E731 - an hour good, an hour bad
    found = run(MadeUp(flips), days=2, triggers=[accuracy()], trigger_policy={"cooldown": "12h"})
    assert [one.status.reason for one in found.replay.transitions if one.status.state == "Refused"].count("CoolingDown") > 5
    assert 2 <= len(started(found)) <= 4


def test_no_data_starts_nothing() -> None:
    assert started(run(MadeUp(lambda _: None), triggers=[accuracy()])) == []
    assert started(run(MadeUp(lambda _: math.nan), triggers=[accuracy()])) == []


def test_schedules_and_alerts_take_part() -> None:
    alert = MadeUp(lambda _: 0.9, alert=lambda at: 1.0 if NOW - timedelta(days=5) <= at < NOW - timedelta(days=4) else None)
    weekly = {"name": "weekly", "schedule": {"cron": "0 3 * * 1"}}
    paged = {"name": "paged", "alert": {"match_labels": {"alertname": "ModelDrift"}}}
    found = run(alert, triggers=[weekly, paged])
    assert [trigger for trigger, _ in started(found)].count("weekly") == 5
    assert [at for trigger, at in started(found) if trigger == "paged"] == [NOW - timedelta(days=5)]


def test_a_version_promoted_meanwhile_is_judged_anew() -> None:
    versions = lambda at: "v1" if at < NOW - timedelta(days=5) else "v2"  # noqa: E731
    found = run(MadeUp(falls, versions), triggers=[accuracy()])
    assert [at for _, at in started(found)] == [NOW - timedelta(days=10), NOW - timedelta(days=5)]
    assert set(found.champions.values()) == {"v1", "v2"}


def test_what_would_hide_what_is_asked_for_is_set_aside() -> None:
    gateway = {"traffic": {"gateway_api": {"parent_refs": [{"name": "public"}]}}, "pinned_version": "v0"}
    assert len(started(run(MadeUp(falls), triggers=[accuracy()], suspend=True, dry_run=True, serving=gateway))) == 1


def test_only_the_policys_own_model_is_asked_about() -> None:
    past = MadeUp(falls)
    run(past, triggers=[accuracy()])
    assert all('namespace="members"' in promql for promql in past.asked)


def test_what_is_printed_names_each_trigger_its_runs_and_draws_its_figure() -> None:
    found = run(MadeUp(falls), triggers=[accuracy(), {"name": "weekly", "schedule": {"cron": "0 3 * * 1"}}])
    console = Console(width=140, record=True, file=io.StringIO())
    console.print(shown(found, 140))
    text = console.export_text()
    assert "as if no retraining had happened" in text
    assert "2026-11-13 12:00  accuracy  Started" in text
    assert "⠤" in text or "⠒" in text
    assert json.loads(json.dumps(wire(found)))["assumes"] == "no retraining happened"

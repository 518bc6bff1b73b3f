"""From the guide's table to a trigger: a real Postgres, the real monitor, a real Prometheus, and the operator's own loop that asks it."""

import asyncio
import json
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import aiohttp
import pytest
import pytest_asyncio

from retrainer.adapters.clock import SystemClock
from retrainer.adapters.prometheus import PrometheusMetrics, Source
from retrainer.core.fleet import schema_questions
from retrainer.core.measurement import NoDataReason, Vector
from retrainer.core.presets import PRESETS, fleet_questions, questions, selector
from retrainer.evaluation import Evaluator
from retrainer.telemetry import Telemetry
from tests.builders import a_policy
from tests.fakes import FakeWorld
from tests.prometheus_server import running_prometheus

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRAINER = Path(__file__).parents[2] / "trainer-image"
COUNT = 'retrainer_prediction_confidence_count{model_version="v1"}'
SHOWN = 'retrainer_prediction_confidence_count{model_type="churn_risk",model_version="v1"}'
WINDOW = {"window": "7d", "min_samples": 100}
# As the guide asks (docs: the seed's `shouldRetrain`), and the same of accuracy.
CONFIDENCE = """
    SELECT avg(confidence_score) FROM ml_predictions WHERE model_type = 'churn_risk' AND predicted_at > NOW() - INTERVAL '7 days'
"""
ACCURACY = """
    SELECT avg((predicted_label = (actual >= 0.5))::int) FROM ml_predictions JOIN ml_outcomes ON prediction_id = id
    WHERE model_type = 'churn_risk' AND predicted_at > NOW() - INTERVAL '7 days'
"""
# Rows of some age in days (new ones are new: the monitor counts predictions as they come), right as often as their confidence says.
ROWS = """
    WITH made AS (
        INSERT INTO ml_predictions (id, model_type, model_version, predicted_at, prediction, predicted_label, confidence_score, features)
        SELECT gen_random_uuid(), 'churn_risk', 'v1', now() - random() * interval '{youngest} days' - interval '{oldest} days',
               0.5, true, {least} + 0.4 * random(), '{{}}' FROM generate_series(1, {rows})
        RETURNING id, predicted_at, confidence_score
    )
    INSERT INTO ml_outcomes (prediction_id, actual, observed_at)
    SELECT id, (random() < confidence_score)::int, predicted_at FROM made
"""
# Forecasts that are off by up to a quarter, with their intervals.
FORECASTS = """
    WITH made AS (
        INSERT INTO ml_predictions (id, model_type, model_version, predicted_at, prediction, confidence_score, interval_low, interval_high,
                                    features)
        SELECT gen_random_uuid(), 'workload_forecast', 'f1', now(), 20 + 20 * random(), 0.8, 20, 40, '{}' FROM generate_series(1, 500)
        RETURNING id, prediction
    )
    INSERT INTO ml_outcomes (prediction_id, actual, observed_at)
    SELECT id, prediction * (1 + (random() - 0.5) / 2), now() FROM made
"""
FORECAST_ACCURACY = """
    SELECT 1 - sum(abs(prediction - actual)) / sum(actual) FROM ml_predictions JOIN ml_outcomes ON prediction_id = id
    WHERE model_type = 'workload_forecast' AND predicted_at > NOW() - INTERVAL '7 days'
"""

# As the trainer records it of a version: what its table was like, and which columns it needs.
FEATURE_SCHEMA = """
    UPDATE model_metadata SET feature_schema = jsonb_build_object(
        'table', 'member_snapshots', 'features', jsonb_build_object('member_age', 'numeric'), 'columns', (
            SELECT jsonb_object_agg(column_name, data_type) FROM information_schema.columns WHERE table_name = 'member_snapshots'
        )
    ) WHERE model_type = 'churn_risk' AND version = 'v1'
"""


@dataclass(frozen=True, slots=True)
class Platform:
    """The database with its monitor, and what Prometheus has of it."""

    database: str
    port: int
    process: "subprocess.Popen[str]"
    prometheus: str = ""

    def sql(self, text: str) -> str:
        """Return what psql says."""
        [psql] = sorted(Path("/usr/lib/postgresql").glob("*/bin/psql"))[-1:]
        command = [psql, self.database, "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", f"--command={text}"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def tell(self, word: str) -> None:
        """Have the monitor lose its database, or find it."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    async def until_counted(self, rows: float) -> None:
        """Return once Prometheus has scraped so many predictions; -1 where it has none."""
        await self._until(COUNT, lambda value: value == rows)

    async def until_scraped(self, times: float) -> None:
        """Return once it has so many samples: what it adds at a window's ends for what it did not see is then too little to matter."""
        await self._until(f"count_over_time({COUNT}[1h])", lambda value: value >= times)

    async def _until(self, query: str, holds: Callable[[float], bool]) -> None:
        async with aiohttp.ClientSession() as client, asyncio.timeout(30):
            while not holds(await _value(client, self.prometheus, query)):  # noqa: ASYNC110 - in another process
                await asyncio.sleep(0.1)


async def _value(client: aiohttp.ClientSession, url: str, query: str) -> float:
    async with client.post(f"{url}/api/v1/query", data={"query": query}) as answer:
        result = (await answer.json())["data"]["result"]
    return float(result[0]["value"][1]) if result else -1.0


@pytest.fixture(scope="module")
def monitored() -> Iterator[Platform]:
    policies = [
        {
            "metadata": {"name": model_type, "creationTimestamp": "2026-11-01T00:00:00Z"},
            "spec": {"modelType": model_type, "monitor": {"databaseSecret": {"name": "platform-db"}}},
            "status": {"champion": {"version": version, "since": "2026-11-01T00:00:00Z"}},
        }
        for model_type, version in (("churn_risk", "v1"), ("workload_forecast", "f1"))
    ]
    old = f"{ROWS.format(rows=300, youngest=1, oldest=9, least=0.1)}; {FORECASTS}"
    command = [TRAINER / ".venv/bin/python", "-m", "tests.monitor.standalone", json.dumps(policies), old]
    with subprocess.Popen(command, cwd=TRAINER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        yield Platform(told["database"], told["port"], process)
        assert process.stdin is not None
        process.stdin.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def platform(monitored: Platform, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Platform]:
    """Give the platform; its 300 predictions of more than a week ago were there before Prometheus came."""
    target = f"127.0.0.1:{monitored.port}"
    await until_shown(target, 300)
    home = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(home, {target: {"namespace": "members"}}, scrape_interval="100ms") as url:
        platform = Platform(monitored.database, monitored.port, monitored.process, url)
        await platform.until_counted(300)
        yield platform


async def until_shown(target: str, rows: int) -> None:
    """Return once the monitor shows so many predictions."""
    async with aiohttp.ClientSession() as client, asyncio.timeout(30):
        while True:
            async with client.get(f"http://{target}/metrics") as answer:
                if any(line.startswith(SHOWN) and line.endswith(f" {rows}.0") for line in (await answer.text()).splitlines()):
                    return
            await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="module")
async def loop(platform: Platform) -> AsyncIterator[Evaluator]:
    """Give the operator's loop with two policies, one of a classifier and one of a forecaster."""
    triggers = [
        {"name": "confidence", "metric": {"preset": "Confidence", "min": 0.5, **WINDOW}},
        {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.5, **WINDOW}},
    ]
    since = datetime.now(UTC) - timedelta(days=20)
    metrics = PrometheusMetrics({"default": Source(platform.prometheus)}, SystemClock())
    churn = a_policy(triggers=triggers, status={"champion": {"version": "v1", "since": since}})
    workload = a_policy(
        "workload", model_type="workload_forecast", triggers=triggers, status={"champion": {"version": "f1", "since": since}}
    )
    columns = a_policy(
        "columns",
        model_type="churn_risk",
        triggers=[{"name": "columns", "schema": {}}],
        status={"champion": {"version": "v1", "since": since}},
    )
    world = FakeWorld(churn, workload, columns)
    yield Evaluator(world, metrics, SystemClock(), lambda _: None, Telemetry())
    await metrics.close()


async def test_what_the_monitor_tells_agrees_with_the_guides_own_query(platform: Platform, loop: Evaluator) -> None:
    platform.sql(FORECASTS)
    platform.sql(ROWS.format(rows=2000, youngest=0.002, oldest=0, least=0.55))
    await platform.until_counted(2300)
    await platform.until_scraped(20)

    await loop.ask_for_all()

    found = loop.of(("members", "churn-risk"))
    live = {name: one.live_value for name, one in found.items()}
    assert live["confidence"] == pytest.approx(float(platform.sql(CONFIDENCE)), abs=0.005)
    assert live["accuracy"] == pytest.approx(float(platform.sql(ACCURACY)), abs=0.005)
    assert live["confidence"] == pytest.approx(0.75, abs=0.02), "the 300 of before the window would have made it 0.69"
    forecaster = loop.of(("members", "workload"))["accuracy"]
    assert forecaster.live_value == pytest.approx(float(platform.sql(FORECAST_ACCURACY)), abs=0.005)
    assert "Accuracy (1 - WAPE) is" in forecaster.message


async def test_prometheus_understands_every_question(platform: Platform) -> None:
    about_one = [question for preset in PRESETS.values() for question in questions(preset, "default", "members", "churn_risk", 60)]
    about_all = [question for preset in PRESETS.values() for question in fleet_questions(preset, "default", 60)]
    metrics = PrometheusMetrics({"default": Source(platform.prometheus)}, SystemClock())
    for question in (*about_one, *about_all, *schema_questions("default"), *schema_questions("default", selector("members"))):
        answer = await metrics.ask(question)
        assert isinstance(answer, Vector) or answer.reason in {NoDataReason.EMPTY, NoDataReason.NAN}, (question.promql, answer)
    await metrics.close()


async def test_a_lost_database_is_no_data_and_not_the_last_value_for_a_week(platform: Platform, loop: Evaluator) -> None:
    key = ("members", "churn-risk")
    await loop.ask_for_all()
    assert {one.reason for one in loop.of(key).values()} == {"WithinBounds"}

    platform.tell("lose")
    await platform.until_counted(-1)

    for _ in range(2):
        await loop.ask_for_all()
    assert {one.reason for one in loop.of(key).values()} == {"NoSeries"}
    platform.tell("find")
    await platform.until_counted(2300)
    await loop.ask_for_all()
    assert {one.reason for one in loop.of(key).values()} == {"WithinBounds"}


async def test_a_column_that_comes_and_one_that_goes_are_told_with_whether_the_champion_accepts_that(
    platform: Platform, loop: Evaluator
) -> None:
    platform.sql(FEATURE_SCHEMA)
    await until_told(loop, "the training table has the columns that v1 was trained on")
    platform.sql("ALTER TABLE member_snapshots ADD COLUMN shift_percentage double precision")
    await until_told(loop, "shift_percentage is new; v1 still accepts the training table")
    platform.sql("ALTER TABLE member_snapshots DROP COLUMN member_age")
    await until_told(loop, "member_age is missing, shift_percentage is new; v1 no longer accepts the training table")
    platform.sql("ALTER TABLE member_snapshots ADD COLUMN member_age text")
    await until_told(loop, "member_age is retyped, shift_percentage is new; v1 no longer accepts the training table")


async def until_told(loop: Evaluator, message: str) -> None:
    """Return once the schema trigger says so."""
    key = ("members", "columns")
    async with asyncio.timeout(30):
        while not (found := loop.of(key)) or found["columns"].message != message:
            await loop.ask_for_all()
            await asyncio.sleep(0.1)

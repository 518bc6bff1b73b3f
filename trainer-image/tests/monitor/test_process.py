"""Whole rounds: a monitor with a fake API server and a real Postgres, asked over HTTP."""

import asyncio
import http.client
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest

from tests.gate import gate_before
from tests.monitor.builders import (
    NAMESPACE,
    FakeCluster,
    at,
    log_predictions,
    observe,
    policy,
    register_version,
    result,
    run,
)
from tests.postgres import stoppable_postgres
from trainer.daemon.listener import Listener, bind
from trainer.monitor.app import MonitorApp
from trainer.monitor.exposition import Exposition
from trainer.monitor.process import Monitor
from trainer.monitor.settings import MonitorSettings

V1_CONFIDENCES = 'retrainer_prediction_confidence_count{model_type="churn_risk",model_version="v1"}'


class Harness:
    """A running monitor and what it shows."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def asked(self, path: str) -> tuple[int, str]:
        """Return the status and body of one GET."""
        return await asyncio.to_thread(self._ask, path)

    async def shows(self, series: str) -> float | None:
        """Return a series' value, or None if there is none."""
        _, text = await self.asked("/metrics")
        found = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
        return next((float(value) for name, value in found if name == series), None)

    def _ask(self, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read().decode()
        connection.close()
        return answer.status, body


def monitored(
    url: str,
    cluster: FakeCluster,
    scenario: Callable[[Harness], Awaitable[None]],
    stale_seconds: float = 30,
    secret: tuple[str, str] | None = None,
) -> None:
    """Run a monitor with short intervals for as long as the scenario takes."""

    async def all_of_it() -> None:
        stop = asyncio.Event()
        settings = MonitorSettings(database_url=url, namespace=NAMESPACE, interval_seconds=0.05, database_secret=secret)
        exposition = Exposition(stale_seconds, time.time)
        monitor = Monitor(settings, settings.database, cluster, exposition)
        listener, listening = Listener(MonitorApp(exposition, monitor.is_alive)), bind(0)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(listener.run_on(listening))
            tasks.create_task(monitor.run(stop))
            try:
                await asyncio.wait_for(scenario(Harness(listening.getsockname()[1])), 30)
            finally:
                stop.set()
                listener.stop()

    asyncio.run(all_of_it())


async def eventually(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until the condition holds."""
    while not await holds():  # noqa: ASYNC110 - the condition is in another process
        await asyncio.sleep(0.02)


def test_predictions_outcomes_and_flips_appear_within_a_round(database: str) -> None:
    cluster = FakeCluster([policy("v1")], [run(1, "v1", result=result("v1"), promotedAt=at(1))])

    async def scenario(monitor: Harness) -> None:
        ids = log_predictions(database, "v1", [{}] * 3)
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 3))
        observe(database, ids[:2], actual=0.0)
        right = 'retrainer_outcomes_total{correct="true",model_type="churn_risk",model_version="v1"}'
        await eventually(lambda: _is(monitor, right, 2))
        cluster.objects["policies"] = [policy("v2")]
        await eventually(lambda: _active_is(database, "v2"))
        assert (await monitor.asked("/healthz"))[0] == 200
        assert (await monitor.asked("/elsewhere"))[0] == 404

    monitored(database, cluster, scenario)


def test_a_candidate_is_counted_from_zero_so_that_no_first_row_is_hidden(database: str) -> None:
    async def scenario(monitor: Harness) -> None:
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 0))
        log_predictions(database, "v1", [{}] * 3)
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 3))

    monitored(database, FakeCluster([policy("v0", candidate="v1")]), scenario)


def test_a_lost_database_leaves_no_stale_evidence_and_is_caught_up_with(database: str) -> None:
    cluster = FakeCluster([policy("v1")], [run(1, "v1", promotedAt=at(1))])

    async def scenario(monitor: Harness) -> None:
        log_predictions(database, "v1", [{}] * 3)
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 3))
        gate.close()
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, None))
        success = await monitor.shows('retrainer_monitor_last_success_timestamp_seconds{model_type="churn_risk"}')
        assert success is not None
        assert 0 < success <= time.time()
        assert (await monitor.asked("/healthz"))[0] == 200
        cluster.objects["runs"] = [
            run(1, "v1", outcome="Succeeded", promotedAt=at(1), completedAt=at(2)),
            run(2, "v2", outcome="RolledBack", promotedAt=at(3), completedAt=at(4)),
            run(3, "v3", promotedAt=at(5)),
        ]
        cluster.objects["policies"] = [policy("v3")]
        log_predictions(database, "v1", [{}] * 2)
        gate.open()
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 5))
        await eventually(lambda: _active_is(database, "v3"))
        with psycopg.connect(database) as connection:
            events = connection.execute("select version, event from model_ledger order by id").fetchall()
        assert events == [
            ("v1", "Promoted"),
            ("v1", "Succeeded"),
            ("v2", "Promoted"),
            ("v2", "RolledBack"),
            ("v1", "Returned"),
            ("v3", "Promoted"),
        ]

    with gate_before(database) as gate:
        monitored(gate.url, cluster, scenario, stale_seconds=0.5)


def test_a_postgres_that_goes_down_and_comes_back_misses_no_flip_and_no_row() -> None:
    with stoppable_postgres() as server:
        _migrate(server.url)
        cluster = FakeCluster([policy("v1")], [run(1, "v1", promotedAt=at(1))])

        async def scenario(monitor: Harness) -> None:
            log_predictions(server.url, "v1", [{}] * 3)
            await eventually(lambda: _is(monitor, V1_CONFIDENCES, 3))
            await asyncio.to_thread(server.stop)
            cluster.objects["runs"] = [
                run(1, "v1", promotedAt=at(1), outcome="Succeeded", completedAt=at(2)),
                run(2, "v2", promotedAt=at(3), outcome="RolledBack", completedAt=at(4)),
            ]
            cluster.objects["policies"] = [policy("v1")]
            await eventually(lambda: _is(monitor, V1_CONFIDENCES, None))
            assert (await monitor.asked("/healthz"))[0] == 200
            await asyncio.to_thread(server.start)
            log_predictions(server.url, "v1", [{}] * 2, age=timedelta(hours=1))
            await eventually(lambda: _is(monitor, V1_CONFIDENCES, 5))
            with psycopg.connect(server.url) as connection:
                reigns = connection.execute(
                    "select version, event from model_champions order by since, until"
                ).fetchall()
            assert reigns == [("v1", "Promoted"), ("v2", "Promoted"), ("v1", "Returned")]

        monitored(server.url, cluster, scenario, stale_seconds=0.5)


def test_a_lost_api_server_stops_the_projection_and_not_the_evidence(database: str) -> None:
    cluster = FakeCluster([policy("v1")])

    async def scenario(monitor: Harness) -> None:
        await eventually(lambda: _active_is(database, "v1"))
        cluster.is_away = True
        cluster.objects["policies"] = [policy("v2")]
        log_predictions(database, "v1", [{}] * 4)
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 4))
        assert await _active_is(database, "v1")
        cluster.is_away = False
        await eventually(lambda: _active_is(database, "v2"))

    monitored(database, cluster, scenario)


def test_policies_with_another_database_are_ignored(database: str) -> None:
    elsewhere = policy("f1", name="workload", model_type="workload_forecast", secret={"name": "other-db", "key": "url"})
    cluster = FakeCluster([policy("v1", secret={"name": "platform-db"}), elsewhere])

    async def scenario(monitor: Harness) -> None:
        await eventually(lambda: _active_is(database, "v1"))
        log_predictions(database, "v1", [{}])
        log_predictions(database, "f1", [{}], model_type="workload_forecast")
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 1))
        assert "workload_forecast" not in (await monitor.asked("/metrics"))[1]

    monitored(database, cluster, scenario, secret=("platform-db", "url"))


def test_a_part_that_cannot_be_measured_does_not_hide_the_others(
    database: str, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(database) as connection:
        connection.execute("alter table ml_outcomes rename to elsewhere")
    register_version(database, "v1", is_active=True)
    log_predictions(database, "v1", [{"member_age": 40.0}] * 300)

    async def scenario(monitor: Harness) -> None:
        psi = 'retrainer_feature_psi{feature="member_age",model_type="churn_risk",model_version="v1"}'
        await eventually(lambda: _has(monitor, psi))
        assert await monitor.shows(V1_CONFIDENCES) is None
        with psycopg.connect(database) as connection:
            connection.execute("alter table elsewhere rename to ml_outcomes")
        await eventually(lambda: _is(monitor, V1_CONFIDENCES, 300))

    with caplog.at_level("INFO", "trainer"):
        monitored(database, FakeCluster([policy("v1")]), scenario)
    assert [record.message for record in caplog.records if record.message.startswith("counting")][1:] == [
        "counting: works again"
    ]


def test_a_monitor_before_its_migration_waits_for_it(empty_database: str) -> None:
    cluster = FakeCluster([policy("v1")])

    async def scenario(monitor: Harness) -> None:
        await eventually(
            lambda: _has(monitor, 'retrainer_monitor_last_success_timestamp_seconds{model_type="churn_risk"}')
        )
        await asyncio.to_thread(_migrate, empty_database)
        await eventually(lambda: _active_is(empty_database, "v1"))

    monitored(empty_database, cluster, scenario)


def _migrate(url: str) -> None:
    from trainer.migrations import migrate  # noqa: PLC0415 - Alembic is only needed here

    migrate(url)


async def _is(monitor: Harness, series: str, value: float | None) -> bool:
    return await monitor.shows(series) == value


async def _has(monitor: Harness, series: str) -> bool:
    return await monitor.shows(series) is not None


async def _active_is(url: str, version: str) -> bool:
    async with await psycopg.AsyncConnection.connect(url) as connection:
        rows = await (await connection.execute("select version from model_metadata where is_active")).fetchall()
    return rows == [(version,)]

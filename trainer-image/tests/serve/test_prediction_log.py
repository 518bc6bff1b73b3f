"""The bounded queue before `ml_predictions`, against a real Postgres."""

import asyncio
import time
from uuid import UUID, uuid4

import psycopg

from tests.gate import gate_before
from trainer.daemon.postgres import Database
from trainer.serve.prediction_log import BATCH, LoggedPrediction, PredictionLog


class Dropped:
    """Counts what the log drops."""

    count = 0

    def __call__(self, count: int) -> None:
        self.count += count


def test_more_than_a_batch_is_written_whole(database: str) -> None:
    dropped = Dropped()
    ids = [uuid4() for _ in range(2 * BATCH + 1)]

    async def scenario() -> None:
        log = _log(database, dropped)
        for prediction_id in ids:
            log.add(_prediction(prediction_id))
        log.close()
        await log.run()

    asyncio.run(scenario())
    assert _ids(database) == set(ids)
    assert dropped.count == 0


def test_a_full_queue_drops_and_counts_and_keeps_the_older(database: str) -> None:
    dropped = Dropped()
    ids = [uuid4() for _ in range(15)]

    async def scenario() -> None:
        log = _log(database, dropped, capacity=10)
        for prediction_id in ids:
            log.add(_prediction(prediction_id))
        log.close()
        await log.run()

    asyncio.run(scenario())
    assert dropped.count == 5
    assert _ids(database) == set(ids[:10])


def test_a_row_that_postgres_refuses_does_not_hold_up_the_others(database: str) -> None:
    dropped = Dropped()
    sound = [uuid4() for _ in range(20)]

    async def scenario() -> None:
        log = _log(database, dropped)
        for number, prediction_id in enumerate(sound):
            log.add(_prediction(prediction_id))
            if number == 7:
                log.add(_prediction(uuid4(), user_id="no\x00text"))
        log.close()
        await log.run()

    asyncio.run(scenario())
    assert _ids(database) == set(sound)
    assert dropped.count == 1


def test_a_batch_that_had_arrived_is_not_written_twice(database: str) -> None:
    prediction = _prediction(uuid4())

    async def scenario() -> None:
        for _ in range(2):
            log = _log(database, Dropped())
            log.add(prediction)
            log.close()
            await log.run()

    asyncio.run(scenario())
    assert _ids(database) == {prediction.id}


def test_what_waits_when_time_is_up_is_abandoned_and_counted(database: str) -> None:
    dropped = Dropped()

    async def scenario() -> None:
        with gate_before(database) as gate:
            gate.close()
            log = _log(gate.url, dropped)
            for _ in range(3):
                log.add(_prediction(uuid4()))
            log.close()
            writing = asyncio.create_task(log.run())
            done, _ = await asyncio.wait([writing], timeout=0.5)
            assert not done
            writing.cancel()
            assert log.abandon() == 3

    asyncio.run(scenario())
    assert dropped.count == 3


def test_rows_wait_for_a_table_that_is_not_there_yet(empty_database: str) -> None:
    prediction = _prediction(uuid4())

    async def scenario() -> None:
        log = _log(empty_database, Dropped())
        log.add(prediction)
        writing = asyncio.create_task(log.run())
        done, _ = await asyncio.wait([writing], timeout=0.2)
        assert not done
        await asyncio.to_thread(_migrate, empty_database)
        log.close()
        await asyncio.wait_for(writing, 10)

    asyncio.run(scenario())
    assert _ids(empty_database) == {prediction.id}


def _migrate(url: str) -> None:
    from trainer.migrations import migrate  # noqa: PLC0415 - Alembic is only needed here

    migrate(url)


def _log(url: str, dropped: Dropped, capacity: int = 10_000) -> PredictionLog:
    return PredictionLog(Database(url, application="test"), "churn_risk", "v1", dropped, capacity)


def _prediction(prediction_id: UUID, user_id: str | None = "m1") -> LoggedPrediction:
    return LoggedPrediction(
        id=prediction_id,
        user_id=user_id,
        at=time.time(),
        prediction=0.25,
        label=False,
        confidence=0.75,
        milliseconds=0.1,
        features={"member_age": 31.0, "contract_type": None},
    )


def _ids(url: str) -> set[UUID]:
    with psycopg.connect(url) as connection:
        return {row[0] for row in connection.execute("select id from ml_predictions")}

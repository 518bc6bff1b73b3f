"""How far a task is: a bar on a terminal, some lines in a log, and none where there is nothing to wait for."""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.requests import asked, request_document
from tests.terminal import on_a_terminal
from tests.worlds import seed_world
from trainer.database import connect
from trainer.dataset.preparation import prepare
from trainer.models import find_model
from trainer.progress import counted, progress


@pytest.fixture(scope="module")
def world(shared_database: str) -> str:
    """The URL of a database with 200 days of the platform."""
    seed_world(shared_database, days=200, units=3)
    return shared_database


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What is logged, as it grows."""
    told: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: told.append(record.getMessage())  # type: ignore[method-assign]
    log = logging.getLogger("trainer")
    log.addHandler(handler)
    log.setLevel(logging.INFO)
    yield told
    log.removeHandler(handler)


def test_a_log_gets_some_ten_lines_however_large_the_steps_are(lines: list[str]) -> None:
    with progress("read", 1000) as bar:
        for _ in range(34):
            bar.advance("rows", 30)
    assert lines[:2] == ["read 120/1000 rows", "read 210/1000 rows"]
    assert len(lines) == 10


def test_what_is_soon_over_is_not_told(lines: list[str]) -> None:
    assert list(counted("read", 4, ["ab", "cd"])) == ["ab", "cd"]
    assert lines == []


@pytest.mark.parametrize("model", ["churn_risk", "workload_forecast"])
def test_rows_are_announced_as_many_as_are_read(world: str, model: str) -> None:
    document = request_document(Path("unused"), "v1", modelType=model, data={"window": "120d"})
    request, _ = asked(document, world)
    with connect(world) as connection:
        source = prepare(connection, request, {}).source
        table = find_model(model)
        assert table is not None
        read = sum(len(part) for part in source._read())  # noqa: SLF001 - what the bar counts
    assert source.rows == read > 0


def test_a_person_sees_a_bar_while_rows_are_read(world: str) -> None:
    code, written = on_a_terminal("validate", DATABASE_URL=world)
    assert code == 0
    assert "read member_snapshots" in written

"""The termination message is readable however much there is to say."""

from pathlib import Path

import orjson
import pytest

from trainer.outcome import MAX_MESSAGE_BYTES, message_bytes, write_termination_message

RESULT = {"version": "v1", "digest": "sha256:" + "0" * 64, "metrics": {"candidate": {"accuracy": 0.9}}}


def test_a_short_message_is_written_as_it_is(tmp_path: Path) -> None:
    log = tmp_path / "termination-log"
    log.touch()
    write_termination_message(log, RESULT | {"warnings": ["few"]})
    assert orjson.loads(log.read_bytes()) == RESULT | {"warnings": ["few"]}


def test_warnings_make_room_first_and_say_how_many_went() -> None:
    warnings = [f"completeness_check: column_{i} has too many missing values" for i in range(500)]
    content = message_bytes(RESULT | {"warnings": warnings})
    kept = orjson.loads(content)
    assert len(content) <= MAX_MESSAGE_BYTES
    assert RESULT.items() <= kept.items()
    assert kept["warnings"][0] == warnings[0]
    assert kept["warnings"][-1] == f"{500 - len(kept['warnings']) + 1} more warnings in the log"


def test_checks_that_failed_outlast_those_that_passed() -> None:
    checks = [{"name": f"completeness_check of {i}", "passed": i % 50 != 0, "value": 0.1} for i in range(200)]
    kept = orjson.loads(message_bytes({"reason": "MissingValues", "message": "too many", "checks": checks}))
    assert kept["checks"] == [check for check in checks if not check["passed"]]


@pytest.mark.parametrize("length", [10_000, 100_000])
def test_a_message_that_is_one_long_sentence_is_cut(length: int) -> None:
    content = message_bytes({"reason": "OperationalError", "message": "x" * length})
    assert len(content) <= MAX_MESSAGE_BYTES
    assert orjson.loads(content)["reason"] == "OperationalError"


def test_without_a_termination_log_nothing_is_written(tmp_path: Path) -> None:
    write_termination_message(tmp_path / "absent", RESULT)
    assert list(tmp_path.iterdir()) == []

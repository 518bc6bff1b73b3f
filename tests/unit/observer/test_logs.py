"""Files that other processes append to, and what the client's log says."""

import json
from pathlib import Path

from tests.observer.client_log import ClientRecord
from tests.observer.following import FollowedFile


def answer(version: str, at: float = 100.0, **further: object) -> str:
    return json.dumps({"t": at, "connection": "new", "status": 200, "error": "", "version": version, "ms": 2.0} | further)


def test_a_line_is_yielded_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    followed = FollowedFile(path)
    assert list(followed.lines()) == []
    path.write_text("one\ntw")
    assert list(followed.lines()) == ["one"]
    with path.open("a") as file:
        file.write("o\nthree\n")
    assert list(followed.lines()) == ["two", "three"]


def test_what_was_there_before_may_be_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("old\n")
    followed = FollowedFile(path, from_end=True)
    with path.open("a") as file:
        file.write("new\n")
    assert list(followed.lines()) == ["new"]


def test_a_rotated_file_is_read_from_its_beginning(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("one\ntwo\n")
    followed = FollowedFile(path)
    list(followed.lines())
    path.rename(tmp_path / "log.1")
    path.write_text("three\n")
    assert list(followed.lines()) == ["three"]


def test_every_failed_request_is_a_violation() -> None:
    record = ClientRecord()
    assert not record.read(answer("v1"))
    (timed_out,) = record.read(answer("", status=None, error="TimeoutError"))
    (refused,) = record.read(answer("v1", status=503))
    assert (timed_out.invariant, refused.invariant) == ("NoFailedRequest", "NoFailedRequest")
    assert record.summary()["failed"] == 2


def test_the_last_answer_of_each_version_is_known() -> None:
    record = ClientRecord()
    for line in (answer("v1", 100.0), answer("v2", 101.0, ms=500.0), answer("v1", 102.0), json.dumps({"totals": {}})):
        assert not record.read(line)
    assert record.summary() == {"answers": {"v1": 2, "v2": 1}, "lastAnswer": {"v1": 102.002, "v2": 101.5}, "failed": 0}

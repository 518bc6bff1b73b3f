"""What only a bucket can do: refuse credentials, vanish, not answer."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.artifacts import packed
from tests.gate import Gate, gate_before
from tests.s3_server import S3Server
from tests.serve.processes import SOURCES, free_port
from tests.stores import Kept
from trainer.errors import BadConfiguration
from trainer.store import StoreUnavailable, open_store, write

# Three parts of 8 MiB, the last one not whole.
LARGE = {"a": bytes(range(256)) * (22 << 12), "manifest.json": b"{}"}
# What `trainer train` does with it, its end by a signal included.
UPLOAD = """
import signal, sys
from trainer.__main__ import _exit_on_signal
from trainer.store import open_store
signal.signal(signal.SIGTERM, _exit_on_signal)
files = {"a": bytes(range(256)) * (22 << 12), "manifest.json": b"{}"}
open_store(sys.argv[1]).create("v1", files)
"""


def test_refused_credentials_are_bad_configuration_and_are_not_repeated(s3: S3Server) -> None:
    url = s3.make_bucket("refusing")
    store = open_store(url, {**s3.environment, "AWS_SECRET_ACCESS_KEY": "another"})
    with pytest.raises(BadConfiguration) as refused:
        store.holds("v1")
    assert str(refused.value) == "s3://refusing: the credentials are refused (SignatureDoesNotMatch)"


def test_a_bucket_that_is_not_there_is_not_an_empty_one(s3: S3Server) -> None:
    store = open_store("s3://nowhere/x", s3.environment)
    for ask in (
        lambda: store.version("v1").read("manifest.json", 9),
        store.contents,
        lambda: store.holds("v1"),
    ):
        with pytest.raises(BadConfiguration, match="there is no such bucket"):
            ask()


def test_a_server_that_does_not_answer_is_a_fault_that_may_go_away(s3: S3Server) -> None:
    nowhere = {**s3.environment, "AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    with pytest.raises(StoreUnavailable, match="no answer"):
        open_store("s3://models", nowhere).holds("v1")


def test_two_writers_cannot_both_complete_a_version(bucket: Kept) -> None:
    files = packed("v1").contents
    bucket.store.create("v1", files)
    with pytest.raises(FileExistsError):
        bucket.store._put_first("v1/manifest.json", b"{}")  # type: ignore[attr-defined]  # noqa: SLF001


def test_a_killed_upload_shows_nothing_and_does_not_stand_in_the_way(s3: S3Server) -> None:
    url = s3.make_bucket("killed")
    with _half_uploaded(s3, url) as (process, _):
        assert _parts(s3.data / "killed") == ["1", "2"]
        process.kill()
        process.wait()
    store = open_store(url, s3.environment)
    assert not store.holds("v1")
    assert (store.contents().versions, store.contents().leftovers) == (frozenset(), {})
    store.create("v1", LARGE)
    assert {name: store.version("v1").read(name, 1 << 30) for name in LARGE} == LARGE


def test_an_upload_that_is_told_to_end_takes_its_parts_away(s3: S3Server) -> None:
    url = s3.make_bucket("ended")
    with _half_uploaded(s3, url) as (process, gate):
        assert _parts(s3.data / "ended") == ["1", "2"]
        process.terminate()
        gate.let_all_in()
        assert process.wait(60) == 128 + signal.SIGTERM
    assert _parts(s3.data / "ended") == []
    assert not open_store(url, s3.environment).holds("v1")


def test_a_connection_that_is_lost_in_a_part_costs_that_part_alone(s3: S3Server) -> None:
    url = s3.make_bucket("lost")
    with _half_uploaded(s3, url) as (process, gate):
        gate.close()
        gate.let_all_in()
        gate.open()
        assert process.wait(60) == 0
    store = open_store(url, s3.environment)
    assert {name: store.version("v1").read(name, 1 << 30) for name in LARGE} == LARGE
    # Of the 22 MiB, 20 had arrived: the last part comes again, and what requests are made of.
    assert 26 << 20 < gate.let_in < 27 << 20


@contextmanager
def _half_uploaded(s3: S3Server, url: str) -> Iterator[tuple[subprocess.Popen[bytes], Gate]]:
    """Yield a process that uploads a version, with two parts at the server and the third held by the gate."""
    with gate_before(s3.endpoint, lets_in=20 << 20) as gate:
        environment = s3.environment | {"AWS_ENDPOINT_URL": gate.url, "PYTHONPATH": str(SOURCES)}
        process = subprocess.Popen([sys.executable, "-c", UPLOAD, url], env=environment)  # noqa: S603 - fixed
        try:
            assert gate.stalled.wait(60)
            yield process, gate
        finally:
            process.kill()
            process.wait()


def _parts(bucket: Path) -> list[str]:
    """Return the numbers of the parts, each whole, of all uploads that have not come to their end."""
    return sorted(path.name for path in (bucket / ".sgwtmp" / "multipart").rglob("*") if path.name.isdigit())


@pytest.mark.parametrize("missing", ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])
def test_missing_credentials_are_named(s3: S3Server, missing: str) -> None:
    with pytest.raises(BadConfiguration, match=missing):
        open_store("s3://models", {**s3.environment, missing: ""})


@pytest.mark.parametrize("location", ["s3://", "gs://models", "https://models"])
def test_a_location_that_is_no_store_is_refused(s3: S3Server, location: str) -> None:
    with pytest.raises(BadConfiguration, match=r"is neither|names no bucket"):
        open_store(location, s3.environment)


def test_what_is_beside_the_prefix_is_left_alone(s3: S3Server, bucket: Kept) -> None:
    other = open_store(bucket.store.location.replace("churn-risk", "churn-risk-2"), s3.environment)
    write(bucket.store, packed("v1"))
    write(other, packed("v1"))
    bucket.store.remove("v1")
    assert bucket.store.contents().versions == frozenset()
    assert other.contents().versions == {"v1"}

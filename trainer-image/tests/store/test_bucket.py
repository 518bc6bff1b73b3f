"""What only a bucket can do: refuse credentials, vanish, not answer."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.artifacts import packed
from tests.s3_server import S3Server
from tests.serve.processes import SOURCES, eventually, free_port
from tests.store.stalling import stalling_network
from tests.stores import Kept
from trainer.errors import BadConfiguration
from trainer.store import StoreUnavailable, open_store, write


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
        bucket.store._put("v1/manifest.json", b"{}", mode="create")  # type: ignore[attr-defined]  # noqa: SLF001


def test_an_upload_that_is_killed_half_way_leaves_nothing_behind(s3: S3Server) -> None:
    url, size = s3.make_bucket("killed"), 24 << 20
    upload = f"from trainer.store import open_store; open_store({url!r}).create('v1', {{'a': bytes({size}), 'b': b''}})"
    with stalling_network(s3.endpoint, carries=20 << 20) as network:
        environment = s3.environment | {"AWS_ENDPOINT_URL": network.url, "PYTHONPATH": str(SOURCES)}
        process = subprocess.Popen([sys.executable, "-c", upload], env=environment)  # noqa: S603 - fixed
        assert network.stalled.wait(60)
        process.kill()
        process.wait()
        eventually(lambda: _held(s3.data / "killed") == set())
    open_store(url, s3.environment).create("v1", {"a": bytes(size), "b": b""})
    assert _held(s3.data / "killed") == {"v1", "a", "b"}


def _held(bucket: Path) -> set[str]:
    """Return the names of all that the server holds, below its own directory also of what is not whole."""
    return {path.name for path in bucket.rglob("*")} - {".sgwtmp"}


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

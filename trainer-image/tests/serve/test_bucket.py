"""A version served from a bucket, on a real S3 server."""

import re
from pathlib import Path

from tests.artifacts import packed
from tests.s3_server import S3Server
from tests.serve.processes import VERSION, free_port, serving, start
from trainer.store import open_store, write


def test_a_version_in_a_bucket_is_served_as_lightly_as_one_on_a_volume(s3: S3Server, artifacts: Path) -> None:
    url = s3.make_bucket("served") + "/members/churn-risk"
    write(open_store(url, s3.environment), packed(VERSION))
    with serving(artifacts, ARTIFACTS_PATH=url, **s3.environment) as server:
        assert server.predict({"features": {"member_age": 40}}).json["modelVersion"] == VERSION
        status = Path(f"/proc/{server.process.pid}/status").read_text()
    assert int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024 < 60  # type: ignore[index]


def test_a_bucket_without_the_version_is_bad_configuration(s3: S3Server, artifacts: Path, tmp_path: Path) -> None:
    url = s3.make_bucket("empty")
    server = start(artifacts, 0, tmp_path / "log", ARTIFACTS_PATH=url, **s3.environment)
    assert server.process.wait(20) == 43
    assert f"FileMissing: manifest.json is missing in s3://empty/{VERSION}" in server.log.read_text()


def test_a_bucket_that_does_not_answer_is_a_fault_that_may_go_away(
    s3: S3Server, artifacts: Path, tmp_path: Path
) -> None:
    nowhere = s3.environment | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{free_port()}"}
    server = start(artifacts, 0, tmp_path / "log", ARTIFACTS_PATH="s3://models", **nowhere)
    assert server.process.wait(60) == 1
    text = server.log.read_text()
    assert "s3://models: no answer" in text
    assert s3.environment["AWS_SECRET_ACCESS_KEY"] not in text

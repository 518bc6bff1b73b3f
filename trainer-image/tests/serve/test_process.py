"""How a serving process starts, what it costs, and how it says that it cannot serve."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.artifacts import write_artifact
from tests.serve.processes import SOURCES, VERSION, Server, serving, start
from trainer.artifact.manifest import SHIPPED_NAME

MEBIBYTE = 1024
UNREADABLE_URL = "postgresql:/someone:s3cret@127.0.0.1:1/platform"


def test_a_version_that_is_not_there_ends_the_process_with_one_clear_line(artifacts: Path, tmp_path: Path) -> None:
    [line] = _refused(start(artifacts, 0, tmp_path / "log"))
    assert "cannot be served: FileMissing" in line


def test_a_version_that_was_tampered_with_never_serves(artifacts: Path, tmp_path: Path) -> None:
    write_artifact(artifacts, VERSION)
    weights = artifacts / VERSION / SHIPPED_NAME
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    [line] = _refused(start(artifacts, 0, tmp_path / "log"))
    assert "DigestMismatch" in line


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"MODEL_VERSION": ""}, "MODEL_VERSION is not set"),
        ({"MODEL_VERSION": "../elsewhere"}, "not the name of a version"),
        ({"ARTIFACTS_PATH": ""}, "ARTIFACTS_PATH is not set"),
        ({"MODEL_TYPE": "workload_forecast"}, "MODEL_TYPE says workload_forecast"),
        ({"DRAIN_SECONDS": "soon"}, "DRAIN_SECONDS must be"),
        ({"DRAIN_SECONDS": "nan"}, "DRAIN_SECONDS must be"),
        ({"PORT": "http"}, "PORT must be"),
        ({"DATABASE_URL": UNREADABLE_URL}, "DATABASE_URL is not a libpq connection string"),
    ],
)
def test_a_configuration_that_cannot_work_is_named(
    artifacts: Path, tmp_path: Path, environment: dict[str, str], says: str
) -> None:
    write_artifact(artifacts, VERSION)
    [line] = _refused(start(artifacts, 0, tmp_path / "log", **environment))
    assert says in line


def test_a_serving_pod_is_light_and_quick(artifacts: Path) -> None:
    write_artifact(artifacts, VERSION)
    with serving(artifacts) as server:
        for _ in range(200):
            server.predict({"features": {"member_age": 40}})
        status = Path(f"/proc/{server.process.pid}/status").read_text()
        resident = int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / MEBIBYTE  # type: ignore[index]
    assert resident < 60


def test_nothing_heavy_is_imported() -> None:
    heavy = ["tensorflow", "keras", "pandas", "sqlalchemy", "pydantic", "kubernetes", "typer", "rich"]
    program = f"import sys, trainer.serve.__main__; print(*set({heavy}) & set(sys.modules))"
    done = subprocess.run(  # noqa: S603 - fixed
        [sys.executable, "-c", program], env={"PYTHONPATH": str(SOURCES)}, capture_output=True, check=True
    )
    assert done.stdout.split() == []


def test_a_port_that_is_taken_is_a_fault_that_may_go_away(artifacts: Path, tmp_path: Path) -> None:
    write_artifact(artifacts, VERSION)
    with serving(artifacts) as first:
        second = start(artifacts, first.port, tmp_path / "log")
        assert second.process.wait(20) == 1


def _refused(server: Server) -> list[str]:
    """The error lines of a process that ended with the code for bad configuration."""
    assert server.process.wait(20) == 43
    text = server.log.read_text()
    assert "s3cret" not in text
    assert "Traceback" not in text
    return [line["message"] for line in server.lines() if line["level"] == "ERROR"]

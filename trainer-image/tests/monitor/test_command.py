"""`trainer monitor` as a process, where it cannot work."""

import os
import subprocess
import sys

import pytest

from tests.serve.processes import SOURCES

NEEDED = {"DATABASE_URL": "postgresql://someone:s3cret@127.0.0.1:1/platform", "POD_NAMESPACE": "members", "PORT": "0"}


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, "no ServiceAccount to read policies with"),
        ({"POD_NAMESPACE": ""}, "POD_NAMESPACE is not set"),
        ({"DATABASE_URL": "postgresql:/someone:s3cret@nowhere"}, "DATABASE_URL is not a libpq connection string"),
    ],
    ids=["outside of a cluster", "no namespace", "unreadable URL"],
)
def test_a_configuration_that_cannot_work_is_named_without_a_secret(changed: dict[str, str], says: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "trainer", "monitor"],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCES), **NEEDED, **changed},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 43
    assert says in done.stderr
    assert "s3cret" not in done.stderr

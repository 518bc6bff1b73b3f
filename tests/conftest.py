"""What every test may ask for: a real API server, brought up once for the session that needs it.

How many examples hypothesis tries: few in every run, many with `pytest tests/property --hypothesis-profile=thorough`.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest
from hypothesis import settings

from tests.cluster.cache import cache_root
from tests.cluster.kubectl import install_kinds, run_kubectl
from tests.cluster.local.cluster import LocalCluster

_ROOT = Path(__file__).parent.parent
_CRDS = _ROOT / "crds"
_NAME = "tests-"

settings.register_profile("quick", max_examples=25, stateful_step_count=25, deadline=None, derandomize=True)
settings.register_profile("thorough", max_examples=1500, stateful_step_count=80, deadline=None)
settings.load_profile("quick")


@pytest.fixture(scope="session")
def control_plane() -> Iterator[LocalCluster]:
    """Give etcd, an API server with the CRDs, and the controller manager; no node. It is this session's own, and goes with it."""
    _sweep()
    cluster = LocalCluster(f"{_NAME}{os.getpid()}", control_plane=True, controllers=True)
    try:
        _tool("up", "--control-plane", "--controllers", "--name", cluster.name)
        install_kinds(partial(run_kubectl, cluster.binary("kubectl"), cluster.kubeconfig), _CRDS)
        yield cluster
    finally:
        _tool("down", "--name", cluster.name)


def _sweep() -> None:
    """Take down what killed sessions left behind, and the logs of ended ones."""
    for home in (cache_root() / "clusters").glob(f"{_NAME}*"):
        with suppress(ValueError, ProcessLookupError):
            os.kill(int(home.name.removeprefix(_NAME)), 0)
            continue
        _tool("down", "--name", home.name)
        shutil.rmtree(home, ignore_errors=True)  # another session may be sweeping too


def _tool(*arguments: str) -> None:
    # In a process of its own: the cluster's programs shall not be children that this one must wait for.
    _run(sys.executable, "-m", "tests.cluster", *arguments)


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr

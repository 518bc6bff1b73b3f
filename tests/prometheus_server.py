"""A real Prometheus of a test's own, of the version that the demo runs: built once from its Go module, cached outside the tree."""

import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import yaml

from tests.cluster.components import build, built_path
from tests.integration.operator_process import free_ports

_STARTS_WITHIN_S = 30.0


@contextmanager
def running_prometheus(
    home: Path, targets: Mapping[str, Mapping[str, str]], *, scrape_interval: str = "1s", flags: Sequence[str] = ()
) -> Iterator[str]:
    """Yield the URL of a server that scrapes `targets` (host and port), each with its labels; a series' own labels win."""
    build(["prometheus"])
    jobs = {
        "job_name": "tests",
        "honor_labels": True,
        "static_configs": [{"targets": [target], "labels": dict(labels)} for target, labels in targets.items()],
    }
    times = {"scrape_interval": scrape_interval, "scrape_timeout": scrape_interval}
    config, [port] = home / "prometheus.yml", free_ports(1)
    config.write_text(yaml.safe_dump({"global": times, "scrape_configs": [jobs]}), encoding="utf-8")
    own = [f"--config.file={config}", f"--storage.tsdb.path={home / 'data'}", f"--web.listen-address=127.0.0.1:{port}"]
    with (home / "prometheus.log").open("wb") as log:
        process = subprocess.Popen([built_path("prometheus"), *own, *flags], stdout=log, stderr=log)
    try:
        _until_ready(f"http://127.0.0.1:{port}", process, home / "prometheus.log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _until_ready(url: str, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        assert process.poll() is None, log.read_text(encoding="utf-8")
        try:
            with urllib.request.urlopen(f"{url}/-/ready", timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise AssertionError(f"Prometheus is not ready:\n{log.read_text(encoding='utf-8')}")

"""`python -m bench.serve`: a whole serving process over HTTP on loopback, against the goals.

The goals: p95 under 1 ms, the pod under 60 MiB with a model, under 0.5 MiB for each further one, ready in under a
second. Other work on the machine shows in the times by the wall's clock, and not in those of the processor.
"""

import http.client
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from tests.artifacts import packed, write_artifact
from tests.s3_server import running_s3
from tests.serve.processes import PATH, VERSION, Server, serving

from trainer.artifact import Held, load
from trainer.runtime import Predictor
from trainer.store import open_store, write

REQUESTS = 10_000
STARTS = 5
FURTHER = 50
BODY = json.dumps({"features": {"union_tenure_years": 3.5, "member_age": 31, "contract_type": "agency"}}).encode()


def main() -> None:
    """Measure on a volume and in a bucket, and print the table as Markdown."""
    print("| | goal | on a volume | in a bucket |")
    print("|---|---|---|---|")
    with tempfile.TemporaryDirectory() as place, running_s3() as s3:
        artifacts = Path(place) / "artifacts"
        write_artifact(artifacts, VERSION)
        url = s3.make_bucket("bench")
        write(open_store(url, s3.environment), packed(VERSION))
        columns = [_figures(artifacts, {}), _figures(artifacts, {"ARTIFACTS_PATH": url, **s3.environment})]
    for name, goal in (
        ("start to ready, median of 5", "< 1 s"),
        ("processor's time until then", ""),
        ("memory, ready", "< 60 MiB"),
        ("memory, after 10,000 requests", "< 60 MiB"),
        ("HTTP p50, kept alive", ""),
        ("HTTP p95, kept alive", "< 1 ms"),
        ("HTTP p95, a connection each", ""),
    ):
        print(f"| {name} | {goal} | {' | '.join(column[name] for column in columns)} |")
    print(f"| memory of a further model, in process | < 0.5 MiB | {_further_model():.3f} MiB | |")


def _figures(artifacts: Path, environment: Mapping[str, str]) -> dict[str, str]:
    starts, worked = [], []
    for _ in range(STARTS):
        began = time.perf_counter()
        with serving(artifacts, **environment) as server:
            starts.append(time.perf_counter() - began)
            worked.append(_processor_seconds(server.process.pid))
    with serving(artifacts, **environment) as server:
        ready = _resident(server.process.pid)
        kept = _kept_alive(server)
        after = _resident(server.process.pid)
        single = np.percentile([_timed(server) for _ in range(REQUESTS // 20)], 95)
    return {
        "start to ready, median of 5": f"{statistics.median(starts):.2f} s",
        "processor's time until then": f"{statistics.median(worked):.2f} s",
        "memory, ready": f"{ready:.1f} MiB",
        "memory, after 10,000 requests": f"{after:.1f} MiB",
        "HTTP p50, kept alive": f"{np.percentile(kept, 50):.2f} ms",
        "HTTP p95, kept alive": f"{np.percentile(kept, 95):.2f} ms",
        "HTTP p95, a connection each": f"{single:.2f} ms",
    }


@contextmanager
def _connected(server: Server) -> Iterator[http.client.HTTPConnection]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        yield connection
    finally:
        connection.close()


def _kept_alive(server: Server) -> list[float]:
    with _connected(server) as connection:
        return [_asked(connection) for _ in range(REQUESTS)]


def _timed(server: Server) -> float:
    with _connected(server) as connection:
        return _asked(connection)


def _asked(connection: http.client.HTTPConnection) -> float:
    began = time.perf_counter()
    connection.request("POST", PATH, BODY)
    answer = connection.getresponse()
    answer.read()
    assert answer.status == http.client.OK, answer.status  # noqa: S101
    return (time.perf_counter() - began) * 1000


def _further_model() -> float:
    contents = [packed(f"v{number}", seed=number).contents for number in range(FURTHER)]
    Predictor(load(Held(contents[0]))).predict([{}])
    before = _resident("self")
    models = [Predictor(load(Held(held))) for held in contents]
    for model in models:
        model.predict([{}])
    return (_resident("self") - before) / FURTHER


def _processor_seconds(process: int) -> float:
    """Return what the process and its ended children have used, user and system."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _resident(process: int | str) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{process}/status").read_text())
    assert found is not None  # noqa: S101
    return int(found[1]) / 1024


if __name__ == "__main__":
    main()

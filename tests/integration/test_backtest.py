"""`kubectl retrain backtest` over the past of a real Prometheus, which the test writes as a remote writer would."""

import json
import struct
import subprocess
import sys
import urllib.request
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.integration import team
from tests.prometheus_server import running_prometheus

STEP = timedelta(minutes=1)
SPAN = timedelta(days=2)
ACCURACY = {"name": "accuracy", "metric": {"preset": "Accuracy", "min": 0.7, "window": "1h", "minSamples": 100, "for": "10m"}}
DROP = {"name": "drop", "metric": {"preset": "Accuracy", "maxDrop": 0.35, "window": "1h", "minSamples": 100}}
QUERY = {"name": "query", "metric": {"query": "sum(rate(retrainer_outcomes_total[10m])) * 60", "max": 150}}
PAGED = {"name": "paged", "alert": {"matchLabels": {"alertname": "ModelDrift"}}}


@pytest.fixture(scope="module")
def since() -> datetime:
    """The moment from which the model was wrong four times in ten instead of one."""
    return datetime.now(UTC).replace(second=0, microsecond=0) - timedelta(hours=12)


@pytest.fixture(scope="module")
def prometheus(since: datetime, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server that holds two days of a model which answers a hundred times a minute."""
    with running_prometheus(tmp_path_factory.mktemp("prometheus"), {}, flags=["--web.enable-remote-write-receiver"]) as url:
        now = datetime.now(UTC)
        moments = [now - SPAN - timedelta(hours=2) + number * STEP for number in range(int((SPAN + timedelta(hours=2)) / STEP))]
        for start in range(0, len(moments), 500):
            write(url, series(moments[start : start + 500], moments[0], since))
        yield url


def series(moments: list[datetime], first: datetime, since: datetime) -> Iterable[tuple[Mapping[str, str], list[tuple[datetime, float]]]]:
    """Yield the counters of one version, and the alert that fired for an hour once the model was wrong."""
    labels = {"namespace": "members", "model_type": "churn_risk", "model_version": "v1"}

    def answered(at: datetime) -> float:
        return 100 * (at - first) / STEP

    def right(at: datetime) -> float:
        return 0.9 * answered(min(at, since)) + 0.6 * (answered(at) - answered(min(at, since)))

    yield {"__name__": "retrainer_predictions_total", **labels}, [(at, answered(at)) for at in moments]
    yield {"__name__": "retrainer_outcomes_total", "correct": "true", **labels}, [(at, right(at)) for at in moments]
    yield {"__name__": "retrainer_outcomes_total", "correct": "false", **labels}, [(at, answered(at) - right(at)) for at in moments]
    firing = [(at, 1.0) for at in moments if since <= at < since + timedelta(hours=1)]
    if firing:
        yield {"__name__": "ALERTS", "alertname": "ModelDrift", "alertstate": "firing", "namespace": "members"}, firing


def backtest(prometheus: str, path: Path, *triggers: object) -> Mapping[str, object]:
    """Return what the command prints for machines."""
    policy = team.policy("members", triggers=list(triggers), triggerPolicy={"cooldown": "6h", "maxRunsPerDay": 2})
    policy["spec"]["modelType"] = "churn_risk"
    path.write_text(yaml.safe_dump(policy), encoding="utf-8")
    asked = [str(path), "--since=2d", "--step=5m", f"--prometheus={prometheus}", "--output=json"]
    done = subprocess.run(
        [sys.executable, "-m", "retrainer.cli", "backtest", *asked], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    [answer] = json.loads(done.stdout)
    found: Mapping[str, object] = answer
    return found


def runs(answer: Mapping[str, object]) -> list[tuple[str, datetime]]:
    listed = answer["runs"]
    assert isinstance(listed, list)
    return [(run["trigger"], datetime.fromisoformat(run["at"])) for run in listed]


def test_a_threshold_is_passed_when_the_hour_before_is_bad_enough(prometheus: str, since: datetime, tmp_path: Path) -> None:
    [(trigger, at)] = runs(backtest(prometheus, tmp_path / "policy.yaml", ACCURACY))
    assert trigger == "accuracy"
    # Of the hour, 2/3 at 0.6 and 1/3 at 0.9 are 0.7; ten minutes must pass; steps are five minutes.
    assert timedelta(minutes=45) <= at - since <= timedelta(minutes=65)


def test_a_drop_counts_from_the_first_figures_and_a_query_from_nothing(prometheus: str, since: datetime, tmp_path: Path) -> None:
    assert runs(backtest(prometheus, tmp_path / "policy.yaml", DROP, QUERY)) == []
    [(trigger, at)] = runs(backtest(prometheus, tmp_path / "policy.yaml", {"name": "drop", "metric": DROP["metric"] | {"maxDrop": 0.25}}))
    assert trigger == "drop"
    assert timedelta(minutes=50) <= at - since <= timedelta(minutes=65)


def test_alerts_are_read_from_their_own_series(prometheus: str, since: datetime, tmp_path: Path) -> None:
    [(trigger, at)] = runs(backtest(prometheus, tmp_path / "policy.yaml", PAGED))
    assert trigger == "paged"
    assert timedelta(0) <= at - since <= timedelta(minutes=5)


def test_what_cannot_be_asked_is_said_in_a_sentence(prometheus: str, tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text(
        yaml.safe_dump(team.policy("members", triggers=[{"name": "bad", "metric": {"query": "sum(", "max": 1}}])), encoding="utf-8"
    )
    for url, sentence in ((prometheus, "parse error"), ("http://127.0.0.1:9", "no connection: Connection refused")):
        asked = [sys.executable, "-m", "retrainer.cli", "backtest", str(path), f"--prometheus={url}"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert sentence in done.stderr


def write(url: str, written: Iterable[tuple[Mapping[str, str], list[tuple[datetime, float]]]]) -> None:
    """Post series to the remote-write receiver: protocol buffers of prometheus.WriteRequest, in a snappy block that compresses nothing."""
    request = b"".join(_field(1, _series(labels, samples)) for labels, samples in written)
    headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf", "X-Prometheus-Remote-Write-Version": "0.1.0"}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/api/v1/write", _snappy(request), headers)) as answer:
        assert answer.status == 204


def _series(labels: Mapping[str, str], samples: list[tuple[datetime, float]]) -> bytes:
    named = b"".join(_field(1, _field(1, name.encode()) + _field(2, value.encode())) for name, value in sorted(labels.items()))
    valued = (b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(int(at.timestamp() * 1000)) for at, value in samples)
    return named + b"".join(_field(2, sample) for sample in valued)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _snappy(content: bytes) -> bytes:
    """Return a block of literals of up to 64 KiB each."""
    pieces = (content[at : at + 65536] for at in range(0, len(content), 65536))
    return _varint(len(content)) + b"".join(b"\xf4" + struct.pack("<H", len(piece) - 1) + piece for piece in pieces)

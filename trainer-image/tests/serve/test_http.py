"""The HTTP interface of a real process without a database."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.artifacts import write_artifact
from tests.serve.processes import PATH, VERSION, Server, ask, serving
from trainer.artifact import load
from trainer.runtime import Predictor

FEATURES = {"union_tenure_years": 3.5, "member_age": 31, "is_steward": True, "contract_type": "agency"}


@pytest.fixture(scope="module")
def artifacts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("platform") / "artifacts"
    write_artifact(directory, VERSION)
    return directory


@pytest.fixture(scope="module")
def server(artifacts: Path) -> Iterator[Server]:
    with serving(artifacts) as running:
        yield running


def test_features_in_the_body_are_answered_with_the_versions_own_prediction(server: Server, artifacts: Path) -> None:
    answer = server.predict({"features": FEATURES})
    [expected] = Predictor(load(artifacts / VERSION)).predict([FEATURES])
    assert answer.status == 200
    assert answer.headers["x-model-version"] == VERSION
    assert {key: value for key, value in answer.json.items() if key != "predictionId"} == {
        "modelType": "churn_risk",
        "modelVersion": VERSION,
        "probability": expected.probability,
        "label": expected.label,
        "confidence": expected.confidence,
    }


def test_every_prediction_has_an_id_of_its_own(server: Server) -> None:
    assert len({server.predict({"features": {}}).json["predictionId"] for _ in range(20)}) == 20


def test_features_of_another_version_are_ignored(server: Server) -> None:
    known = server.predict({"features": FEATURES}).json
    wider = server.predict({"features": {**FEATURES, "shift_percentage": 12}}).json
    assert wider["probability"] == known["probability"]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "reason"),
    [
        ("POST", PATH, b"{", 400, "MalformedJSON"),
        ("POST", PATH, b'{"features": {"member_age": "old"}}', 422, "InvalidFeature"),
        ("POST", PATH, b'{"memberId": "m1"}', 422, "FeaturesRequired"),
        ("POST", PATH, b" " * 65_537, 413, "BodyTooLarge"),
        ("GET", PATH, None, 405, "MethodNotAllowed"),
        ("POST", "/metrics", b"", 405, "MethodNotAllowed"),
        ("POST", "/api/ml/predictions/workload-forecast", b"{}", 404, "UnknownPath"),
        ("GET", "/", None, 404, "UnknownPath"),
    ],
)
def test_what_cannot_be_answered_is_refused_with_a_reason(
    server: Server, method: str, path: str, body: bytes | None, status: int, reason: str
) -> None:
    answer = server.ask(method, path, body)
    assert (answer.status, answer.json["reason"]) == (status, reason)


def test_a_method_that_is_not_allowed_is_told_which_is(server: Server) -> None:
    assert server.ask("PUT", PATH, b"{}").headers["allow"] == "POST"
    assert server.ask("DELETE", "/healthz").headers["allow"] == "GET"


def test_a_body_without_a_length_is_cut_off_at_the_limit(server: Server) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        connection.sendall(b"8000\r\n" + b" " * 0x8000 + b"\r\n" + b"8001\r\n" + b" " * 0x8001 + b"\r\n")
        answered = connection.makefile("rb").read()
    assert answered.startswith(b"HTTP/1.1 413 ")
    assert b"connection: close" in answered


def test_a_connection_is_kept_after_a_refusal(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    assert ask(connection, "POST", PATH, b"{").status == 400
    used = connection.sock
    assert ask(connection, "POST", PATH, b'{"features": {}}').status == 200
    assert connection.sock is used
    connection.close()


def test_a_kept_alive_client_is_answered_within_milliseconds(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    seconds = []
    for _ in range(101):
        began = time.perf_counter()
        assert ask(connection, "POST", PATH, b'{"features": {"member_age": 40}}').status == 200
        seconds.append(time.perf_counter() - began)
    connection.close()
    # The median of some 0.2 ms; a client and a server that wait for each other's acknowledgements need 40.
    assert sorted(seconds)[50] < 0.02


def test_the_probes_say_alive_and_ready(server: Server) -> None:
    assert server.ask("GET", "/healthz").status == 200
    assert server.ask("GET", "/readyz").json == {"phase": "Ready"}


def test_the_metrics_are_those_of_the_contract_and_count_answers_and_errors(artifacts: Path) -> None:
    with serving(artifacts) as server:
        before = _series(server)
        assert server.predict({"features": {}}).status == 200
        assert server.predict({"features": {"member_age": "old"}}).status == 422
        assert server.ask("GET", "/nothing").status == 404
        after = _series(server)
    labels = f'{{model_type="churn_risk",model_version="{VERSION}"}}'
    assert {name for name in before if "_bucket" not in name} == {
        f"retrainer_predictions_total{labels}",
        f"retrainer_prediction_errors_total{labels}",
        f"retrainer_prediction_logs_dropped_total{labels}",
        f"retrainer_prediction_seconds_sum{labels}",
        f"retrainer_prediction_seconds_count{labels}",
    }
    assert set(before.values()) == {0.0}
    assert after[f"retrainer_predictions_total{labels}"] == 2
    assert after[f"retrainer_prediction_seconds_count{labels}"] == 2
    assert after[f"retrainer_prediction_errors_total{labels}"] == 0


def _series(server: Server) -> dict[str, float]:
    answer = server.ask("GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    lines = (line for line in answer.body.decode().splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines)}


def test_log_lines_are_json_with_the_version(server: Server) -> None:
    [line] = [line for line in server.lines() if line["message"].startswith("ready")]
    assert (line["level"], line["model_type"], line["model_version"]) == ("INFO", "churn_risk", VERSION)
    assert json.dumps(line)

"""Members looked up in memory, and predictions logged behind the answers, with a real Postgres that comes and goes."""

from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest

from tests.artifacts import write_artifact
from tests.gate import gate_before
from tests.serve.processes import VERSION, Server, eventually, free_port, serving, start
from trainer.artifact import load
from trainer.runtime import Predictor

INSERT = "insert into profiles (id, role, member_age, contract_type) values (%s, %s, %s, %s)"


@pytest.fixture
def members(database: str) -> str:
    """The URL of a database with two members and one who is none."""
    with psycopg.connect(database) as connection:
        connection.cursor().executemany(
            INSERT, [("m1", "member", 31, "agency"), ("m2", "member", None, None), ("boss", "admin", 50, "permanent")]
        )
    return database


@pytest.fixture(autouse=True)
def version(artifacts: Path) -> None:
    write_artifact(artifacts, VERSION)


def test_a_member_is_predicted_from_the_profile(members: str, artifacts: Path) -> None:
    with serving(artifacts, DATABASE_URL=members) as server:
        answer = server.predict({"memberId": "m1"})
        assert server.predict({"memberId": "m2"}).status == 200
    [expected] = Predictor(load(artifacts / VERSION)).predict([{"member_age": 31.0, "contract_type": "agency"}])
    assert answer.json["probability"] == expected.probability


@pytest.mark.parametrize("member_id", ["nobody", "boss"])
def test_who_is_no_member_is_not_found(members: str, artifacts: Path, member_id: str) -> None:
    with serving(artifacts, DATABASE_URL=members) as server:
        answer = server.predict({"memberId": member_id})
    assert (answer.status, answer.json["reason"]) == (404, "UnknownMember")


def test_members_who_come_go_and_change_are_noticed(members: str, artifacts: Path) -> None:
    with serving(artifacts, DATABASE_URL=members) as server, psycopg.connect(members, autocommit=True) as connection:
        before = server.predict({"memberId": "m1"}).json["probability"]
        connection.execute(INSERT, ("m3", "member", 20, "agency"))
        connection.execute("delete from profiles where id = 'm2'")
        connection.execute("update profiles set member_age = 80 where id = 'm1'")
        connection.execute("alter table profiles add column shift_percentage float8, drop column union_tenure_years")
        eventually(lambda: server.predict({"memberId": "m3"}).status == 200)
        assert server.predict({"memberId": "m2"}).status == 404
        assert server.predict({"memberId": "m1"}).json["probability"] != before


def test_every_answer_is_logged_with_what_the_model_looked_at(members: str, artifacts: Path) -> None:
    with serving(artifacts, DATABASE_URL=members) as server:
        known = server.predict({"memberId": "m1"}).json
        given = server.predict({"features": {"member_age": 50, "unknown": 1}}).json
        server.predict({"memberId": "nobody"})
        assert server.terminate() == 0
    rows = _logged(members)
    assert set(rows) == {known["predictionId"], given["predictionId"]}
    row = rows[known["predictionId"]]
    assert row["user_id"] == "m1"
    assert (row["model_type"], row["model_version"]) == ("churn_risk", VERSION)
    assert (row["prediction"], row["predicted_label"]) == (known["probability"], known["label"])
    assert row["confidence_score"] == known["confidence"]
    assert 0 < row["response_time_ms"] < 1000
    missing = {"union_tenure_years": None, "engagement_score": None, "is_steward": None}
    assert row["features"] == {"member_age": 31, "contract_type": "agency", **missing}
    assert rows[given["predictionId"]]["user_id"] is None
    assert rows[given["predictionId"]]["features"]["member_age"] == 50


def test_a_lost_database_loses_neither_requests_nor_logs(members: str, artifacts: Path) -> None:
    with gate_before(members) as gate, serving(artifacts, DATABASE_URL=gate.url) as server:
        answered = [server.predict({"memberId": "m1"})]
        gate.close()
        answered += [server.predict({"memberId": "m1"}) for _ in range(50)]
        assert server.ask("GET", "/readyz").status == 200
        eventually(lambda: any("does not answer" in line["message"] for line in server.lines()))
        gate.open()
        eventually(lambda: len(_logged(members)) == 51)
        assert {answer.status for answer in answered} == {200}
        assert {answer.json["predictionId"] for answer in answered} == set(_logged(members))
        assert server.metric("retrainer_prediction_logs_dropped_total") == 0
        assert server.terminate() == 0


def test_an_outage_is_told_at_its_beginning_and_its_end_and_not_in_between(members: str, artifacts: Path) -> None:
    def told(server: Server, words: str) -> int:
        return sum(words in line["message"] for line in server.lines())

    with gate_before(members) as gate, serving(artifacts, DATABASE_URL=gate.url) as server:
        gate.close()
        server.predict({"memberId": "m1"})
        eventually(lambda: told(server, "logging predictions: the database does not answer") == 1)
        gate.open()
        eventually(lambda: told(server, "logging predictions: the database answers again") == 1)
        assert told(server, "logging predictions") == 2


def test_without_a_database_at_the_start_it_becomes_ready_and_asks_for_features(artifacts: Path) -> None:
    unreachable = f"postgresql://someone:s3cret@127.0.0.1:{free_port()}/platform"
    with serving(artifacts, DATABASE_URL=unreachable, PROFILES_SECONDS="0.2") as server:
        answer = server.predict({"memberId": "m1"})
        assert (answer.status, answer.json["reason"]) == (503, "ProfilesNotLoaded")
        assert server.predict({"features": {}}).status == 200
        assert server.metric("retrainer_prediction_errors_total") == 1
        assert server.terminate() == 0
        # What could not be written before the end is counted as dropped and said.
        assert any(line["message"].startswith("1 predictions could not be logged") for line in server.lines())
        assert "s3cret" not in server.log.read_text()


def test_it_is_not_ready_before_the_profiles_are_there(members: str, artifacts: Path, tmp_path: Path) -> None:
    with gate_before(members) as gate:
        gate.close()
        server = start(artifacts, free_port(), tmp_path / "log", DATABASE_URL=gate.url, PROFILES_SECONDS="60")
        try:
            eventually(lambda: _is_listening(server))
            assert server.ask("GET", "/readyz").status == 503
            assert server.ask("GET", "/healthz").json == {"phase": "Loading"}
            gate.open()
            eventually(lambda: server.ask("GET", "/readyz").status == 200)
            assert server.predict({"memberId": "m1"}).status == 200
        finally:
            server.process.kill()
            server.process.wait()


def _is_listening(server: Server) -> bool:
    try:
        return server.ask("GET", "/healthz").status == 200
    except OSError:
        return False


def _logged(url: str) -> dict[str, dict[str, Any]]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        rows = connection.execute("select * from ml_predictions").fetchall()
    return {str(UUID(str(row["id"]))): row for row in rows}

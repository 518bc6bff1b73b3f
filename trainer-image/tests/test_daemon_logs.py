"""How the two commands that run for ever log: JSON for whatever collects a pod's lines, plain lines on a terminal."""

import orjson
import pytest

from tests.terminal import on_a_terminal

REFUSED = {"serve": "MODEL_VERSION is not set", "monitor": "no ServiceAccount to read policies with"}
GIVEN = {"DATABASE_URL": "postgresql:///x", "POD_NAMESPACE": "members", "PORT": "0"}


@pytest.mark.parametrize("command", REFUSED)
def test_a_person_reads_sentences(command: str) -> None:
    code, written = on_a_terminal(command, **GIVEN)
    assert code == 43
    assert f"BadConfiguration: {REFUSED[command]}" in written
    assert "{" not in written


@pytest.mark.parametrize("command", REFUSED)
def test_a_person_may_ask_for_what_machines_read(command: str) -> None:
    code, written = on_a_terminal(command, "--json", **GIVEN)
    assert code == 43
    [line] = [orjson.loads(line) for line in written.splitlines()]
    assert REFUSED[command] in line["message"]
    assert line["level"] == "ERROR"

"""The command line as a pod and a person use it: exit codes, messages, and what is imported."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import orjson
import psycopg
import pytest

from tests.artifacts import packed, path_of, write_artifact
from tests.requests import environment_of, request_document
from tests.s3_server import S3Server
from tests.stores import Kept
from tests.worlds import seed_world
from trainer.store import write

HEAVY = ("tensorflow", "keras")
COMMANDS = ("migrate", "seed", "validate", "train", "verify", "serve", "prune", "monitor", "report")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `trainer` in a process of its own, with nothing of this one's environment but the path."""
    return subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-m", "trainer", *arguments],
        env={"PATH": os.environ["PATH"], "COLUMNS": "200", **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def imported(*arguments: str, **environment: str) -> set[str]:
    """Return the modules that a command imports."""
    program = "import sys, trainer.__main__ as m\ntry: m.main()\nfinally: print(*sys.modules, file=sys.stderr)"
    done = subprocess.run(  # noqa: S603 - this very program
        [sys.executable, "-c", program, *arguments],
        env={"PATH": os.environ["PATH"], **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    return set(done.stderr.splitlines()[-1].split())


@pytest.fixture(scope="module")
def world(shared_database: str) -> str:
    """The URL of a database with 200 days of the platform."""
    seed_world(shared_database, days=200)
    return shared_database


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A termination log as the kubelet makes one."""
    path = tmp_path / "termination-log"
    path.touch()
    return path


def message(log: Path) -> Mapping[str, object]:
    document: dict[str, object] = orjson.loads(log.read_bytes())
    return document


def test_help_lists_every_command_and_imports_none() -> None:
    done = run("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert command in done.stdout
    heavy = {*HEAVY, "pandas", "sqlalchemy", "alembic", "psycopg", "pydantic", "numpy"}
    assert heavy.isdisjoint(imported("--help"))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself_without_tensorflow(command: str) -> None:
    done = run(command, "--help")
    assert done.returncode == 0
    assert "--json" in done.stdout
    assert set(HEAVY).isdisjoint(imported(command, "--help"))


def test_migrate_seed_and_validate_one_after_the_other(empty_database: str) -> None:
    url = {"DATABASE_URL": empty_database}
    pending = orjson.loads(run("migrate", "--json", DRY_RUN="true", **url).stdout)["pending"]
    assert pending[0] == "0001"
    assert orjson.loads(run("migrate", "--json", **url).stdout) == {"applied": pending}
    seeding = ("seed", "--until", "2026-11-22", "--days", "150", "--json")
    first = orjson.loads(run(*seeding, **url).stdout)
    assert first["world"]["members"] == 240
    assert orjson.loads(run(*seeding, **url).stdout) == first
    drift = run("seed", "--append", "--until", "2026-12-12", "--concept-drift-from", "2026-11-22", **url)
    assert "concept drift from 2026-11-22" in drift.stdout
    validated = run("validate", **url)
    assert validated.returncode == 0
    assert "row_count_check" in validated.stdout
    assert "Validated" in validated.stdout


def test_of_two_pods_that_migrate_at_once_one_does(empty_database: str) -> None:
    environment = {"PATH": os.environ["PATH"], "DATABASE_URL": empty_database}
    pods = [
        subprocess.Popen(
            [sys.executable, "-m", "trainer", "migrate", "--json"], env=environment, stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    answers = [orjson.loads(pod.communicate(timeout=60)[0])["applied"] for pod in pods]
    assert [pod.returncode for pod in pods] == [0, 0]
    assert sorted(map(len, answers)) == [0, max(map(len, answers))]
    assert max(map(len, answers)) > 0


@pytest.mark.parametrize("arguments", [("train", "--epochs", "many"), ("verify",), ("unheard-of",)])
def test_an_option_or_a_command_that_cannot_be_is_bad_configuration(arguments: tuple[str, ...], log: Path) -> None:
    done = run(*arguments, TERMINATION_LOG=str(log))
    assert message(log)["reason"] == "BadConfiguration"
    assert done.returncode == 43
    assert "--help' for help" in done.stderr


def test_a_dry_run_of_seed_says_what_would_be_written_and_writes_nothing(empty_database: str) -> None:
    run("migrate", DATABASE_URL=empty_database)
    done = run("seed", "--days", "20", "--until", "2026-11-22", DATABASE_URL=empty_database, DRY_RUN="true")
    assert done.stdout.startswith("would write a world of seed 7, members 240, start 2026-11-03, until 2026-11-22")
    with psycopg.connect(empty_database) as connection:
        assert connection.execute("select count(*) from profiles").fetchone() == (0,)


def test_seeding_over_another_world_needs_a_word(world: str) -> None:
    refused = run("seed", "--until", "2026-10-01", DATABASE_URL=world)
    assert refused.returncode == 43
    assert "--append or --replace" in refused.stderr


def test_rejected_data_ends_with_42_and_says_why(world: str, log: Path) -> None:
    document = request_document(Path("unused"), "v1", action="validate", dataQuality={"minRows": 1000})
    done = run("validate", **environment_of(document, world, TERMINATION_LOG=str(log)))
    assert done.returncode == 42
    assert message(log)["reason"] == "InsufficientRows"
    assert message(log)["message"] == "240 members, at least 1000 are needed"
    first = orjson.loads(log.read_bytes())["checks"][0]
    assert first == {"name": "row_count_check", "passed": False, "value": 240, "limit": 1000, "action": "Reject"}
    assert "row_count_check" in done.stdout


@pytest.mark.parametrize("command", [("validate",), ("train",), ()], ids=["validate", "train", "no command"])
def test_a_machine_gets_one_document_also_of_a_rejection(world: str, tmp_path: Path, command: tuple[str, ...]) -> None:
    document = request_document(tmp_path, "v1", dataQuality={"minRows": 1000})
    done = run(*command, *(["--json"] if command else []), **environment_of(document, world))
    assert done.returncode == 42
    told = orjson.loads(done.stdout)
    assert told["reason"] == "InsufficientRows"
    assert told["checks"][0]["value"] == 240


def test_a_machine_gets_one_document_of_what_cannot_be() -> None:
    done = run("prune", "--json")
    assert orjson.loads(done.stdout) == {
        "reason": "BadConfiguration",
        "message": "ARTIFACTS_PATH is not set",
        "warnings": [],
    }


def test_without_a_command_it_does_what_the_request_asks(world: str, log: Path) -> None:
    document = request_document(Path("unused"), "v1", action="validate")
    done = run(**environment_of(document, world, TERMINATION_LOG=str(log)))
    assert done.returncode == 0
    assert orjson.loads(done.stdout)["reason"] == "Validated"
    assert message(log)["reason"] == "Validated"


def test_a_bucket_that_refuses_is_bad_configuration_before_anything_is_trained(
    world: str, log: Path, s3: S3Server
) -> None:
    document = request_document(Path(), "v1", action="validate") | {"artifacts": {"path": "s3://nowhere/x"}}
    done = run("validate", **environment_of(document, world, TERMINATION_LOG=str(log), **s3.environment))
    assert done.returncode == 43
    assert message(log)["message"] == "s3://nowhere/x: there is no such bucket"


def test_an_unknown_model_ends_with_43(log: Path) -> None:
    document = request_document(Path("unused"), "v1") | {"modelType": "unheard_of"}
    done = run("train", **environment_of(document, "postgresql://unused", TERMINATION_LOG=str(log)))
    assert done.returncode == 43
    assert message(log)["reason"] == "BadConfiguration"
    assert "unheard_of" in str(message(log)["message"])


def test_a_lost_database_is_a_fault_that_may_go_away_and_tells_no_password(log: Path) -> None:
    document = request_document(Path("unused"), "v1")
    url = "postgresql://user:s3cret@127.0.0.1:1/platform"
    done = run("train", **environment_of(document, url, TERMINATION_LOG=str(log)))
    assert done.returncode not in {0, 42, 43}
    assert "s3cret" not in done.stdout + done.stderr + log.read_text()


def test_a_finished_version_is_repeated_without_tensorflow(tmp_path: Path, log: Path) -> None:
    artifact = write_artifact(tmp_path, "v1")
    document = request_document(tmp_path, "v1")
    environment = environment_of(document, "postgresql://127.0.0.1:1/x", TERMINATION_LOG=str(log))
    done = run("train", "--json", **environment)
    assert done.returncode == 0, done.stderr
    assert orjson.loads(done.stdout)["digest"] == message(log)["digest"] == artifact.digest
    assert set(HEAVY).isdisjoint(imported("train", **environment))


def test_verify_says_whether_a_version_is_sound(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path)
    sound = run("verify", str(path_of(artifact)), "--json")
    assert (sound.returncode, orjson.loads(sound.stdout)["digest"]) == (0, artifact.digest)
    (path_of(artifact) / "reference.json").unlink()
    broken = run("verify", str(path_of(artifact)))
    assert broken.returncode == 1
    assert broken.stdout.startswith("FileMissing: reference.json is missing")


def test_verify_knows_a_version_in_a_bucket_by_its_digest(bucket: Kept, s3: S3Server) -> None:
    artifact = write(bucket.store, packed("v1"))
    url = f"{bucket.store.location}/v1"
    sound = run("verify", url, "--digest", artifact.digest, "--json", **s3.environment)
    assert orjson.loads(sound.stdout) == {"sound": True, "version": "v1", "digest": artifact.digest}
    other = run("verify", url, "--digest", "sha256:" + "0" * 64, "--json", **s3.environment)
    assert (other.returncode, orjson.loads(other.stdout)["reason"]) == (1, "AnotherVersion")
    absent = run("verify", f"{bucket.store.location}/v2", "--json", **s3.environment)
    assert (absent.returncode, orjson.loads(absent.stdout)["reason"]) == (1, "FileMissing")


def test_debug_tells_what_is_split_and_learnt_from(world: str) -> None:
    assert run("validate", DATABASE_URL=world).stderr == ""
    assert "DEBUG rows: " in run("validate", DATABASE_URL=world, DEBUG="true").stderr


def test_it_ends_on_sigterm_with_an_exit_code_of_its_own_and_leaves_nothing(world: str, tmp_path: Path) -> None:
    with psycopg.connect(world) as connection:
        # The lock that the command waits for says when it is well under way.
        connection.execute("lock table member_snapshots")
        process = subprocess.Popen(  # noqa: S603 - this very program
            [sys.executable, "-m", "trainer", "train", "--artifacts", str(tmp_path)],
            env={"PATH": os.environ["PATH"], "DATABASE_URL": world},
            stderr=subprocess.DEVNULL,
        )
        waiting = """select count(*) from pg_stat_activity, pg_sleep(0.05)
                     where wait_event_type = 'Lock' and datname = current_database()"""
        with psycopg.connect(world, autocommit=True) as observer:
            while observer.execute(waiting).fetchone() != (1,):
                assert process.poll() is None
        process.terminate()
        # It is waiting inside libpq, which returns when the lock is free.
        connection.rollback()
    assert process.wait(timeout=30) == 128 + 15
    assert list(tmp_path.iterdir()) == []

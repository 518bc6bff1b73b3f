"""A training that is killed goes on where it was, and ends as one that was not killed."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.requests import environment_of, request_document
from tests.s3_server import S3Server
from tests.serve.processes import eventually
from tests.trainings import train
from tests.worlds import seed_world
from trainer.artifact import Weights, load
from trainer.request import Hyperparameters
from trainer.store import Store, open_store
from trainer.store.directory import DirectoryStore
from trainer.training.checkpoints import Checkpoints
from trainer.training.rows import Rows

WISHES = Hyperparameters(epochs=8, batch_size=32, early_stopping_patience=8)
# Of the search and the two refits.
EPOCHS = 8 + 4 + 4
KEY = "v1/state.safetensors"


class Killed(BaseException):
    """Ends a training as SIGKILL would: nothing in it catches this."""


@dataclass(frozen=True, slots=True)
class Deadly(DirectoryStore):
    """A store after whose n-th write the process is gone."""

    writes_left: list[None]

    def replace(self, key: str, content: bytes) -> None:
        DirectoryStore.replace(self, key, content)
        if not self.writes_left:
            raise Killed
        self.writes_left.pop()


def fitted(checkpoints: Checkpoints, labels_seed: int = 1) -> list[Weights]:
    """The weights of all three stages of a small training."""
    from trainer.training.network import Network  # noqa: PLC0415 - TensorFlow

    inputs = np.random.default_rng(0).normal(size=(256, 4)).astype(np.float32)
    labels = (np.random.default_rng(labels_seed).random(256) < 0.5).astype(np.float32)
    rows, validation = (Rows(inputs[part], labels[part], np.ones(len(labels[part]))) for part in np.s_[:192, 192:])
    checkpoints.find()
    network = Network((4, 8, 1), "binary", WISHES, checkpoints)
    fit = network.fit_until_it_stops_improving(rows, validation, _ignore)
    refits = {"evaluated": rows, "shipped": validation}
    return [fit.weights, *(network.fit_for(name, part, 4, _ignore) for name, part in refits.items())]


def _ignore(_note: str) -> None: ...


def checkpoints_in(store: Store) -> Checkpoints:
    return Checkpoints(store, "v1", timedelta())


@pytest.fixture(scope="module")
def uninterrupted() -> list[Weights]:
    return fitted(Checkpoints())


def same(first: list[Weights], second: list[Weights]) -> bool:
    return all(
        (one[name] == other[name]).all() for one, other in zip(first, second, strict=True) for name in {*one, *other}
    )


@pytest.mark.parametrize("writes", [3, 9, 14], ids=["in the search", "in the refit", "in the last stage"])
def test_a_training_killed_after_any_epoch_ends_as_if_it_had_not_been(
    uninterrupted: list[Weights], tmp_path: Path, writes: int
) -> None:
    with pytest.raises(Killed):
        fitted(checkpoints_in(Deadly(tmp_path, [None] * writes)))
    resumed = Deadly(tmp_path, [None] * EPOCHS)
    assert same(fitted(checkpoints_in(resumed)), uninterrupted)
    assert EPOCHS - len(resumed.writes_left) == EPOCHS - (writes + 1), "it fitted only what was left"


def test_a_finished_stage_is_not_fitted_again(uninterrupted: list[Weights], tmp_path: Path) -> None:
    fitted(checkpoints_in(DirectoryStore(tmp_path)))
    # All stages are done, so there is not one epoch whose end could kill it.
    assert same(fitted(checkpoints_in(Deadly(tmp_path, []))), uninterrupted)


def test_other_data_starts_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    fitted(checkpoints_in(DirectoryStore(tmp_path)))
    expected = fitted(Checkpoints(), labels_seed=2)
    again = fitted(checkpoints_in(DirectoryStore(tmp_path)), labels_seed=2)
    assert same(again, expected)
    assert "search starts over" in caplog.text


DAMAGE: Mapping[str, Callable[[bytes], bytes]] = {
    "truncated": lambda content: content[:-9],
    "a bit flipped": lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    "no safetensors": lambda _: b"\x80\x04K\x01.",
    "empty": lambda _: b"",
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_broken_checkpoint_starts_over(
    uninterrupted: list[Weights], tmp_path: Path, damage: Callable[[bytes], bytes], caplog: pytest.LogCaptureFixture
) -> None:
    store = DirectoryStore(tmp_path)
    fitted(checkpoints_in(store))
    store.replace(KEY, damage((tmp_path / KEY).read_bytes()))
    assert same(fitted(checkpoints_in(store)), uninterrupted)
    assert "cannot be read, the training starts over" in caplog.text


def test_a_store_that_takes_no_checkpoint_costs_no_training(
    uninterrupted: list[Weights], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "v1").write_text("a file where the directory should be")
    assert same(fitted(checkpoints_in(DirectoryStore(tmp_path))), uninterrupted)
    assert "no checkpoint was written" in caplog.text


def test_a_training_killed_in_the_middle_goes_on_in_the_next_attempt(
    database: str, s3: S3Server, tmp_path: Path
) -> None:
    seed_world(database, days=200)
    wishes = {"hyperparameters": {"epochs": 30, "batchSize": 64, "earlyStoppingPatience": 30}}
    url = s3.make_bucket("trained") + "/members/churn-risk"
    document = request_document(Path("unused"), "v1", **wishes) | {
        "artifacts": {"path": url},
        "checkpoint": {"path": f"{url}/.checkpoints/v1"},
    }
    environment = environment_of(document, database, CHECKPOINT_INTERVAL="0s", **s3.environment)
    first = started(environment, tmp_path / "first.log")
    eventually((s3.data / "trained/members/churn-risk/.checkpoints" / KEY).exists, seconds=120)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    store = open_store(url, s3.environment)
    assert not store.holds("v1")
    assert started(environment, tmp_path / "second.log").wait(300) == 0
    assert "search resumes after epoch" in (tmp_path / "second.log").read_text()
    resumed = load(store.version("v1"))
    expected = train(request_document(tmp_path, "v1", **wishes), database)
    for figure in ("auc", "brier", "accuracy", "ece"):
        assert resumed.manifest.metrics["candidate"][figure] == pytest.approx(
            expected.manifest.metrics["candidate"][figure], abs=1e-3
        )
    assert store.contents().leftovers == {}


def started(environment: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "trainer", "train"],
            env={"PATH": os.environ["PATH"], **environment},
            stdout=output,
            stderr=output,
        )

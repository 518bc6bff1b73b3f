"""A table that is larger than memory should be is read in blocks, scattered over files, and all of it is fitted on."""

from collections import Counter
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.requests import asked, request_document
from tests.trainings import train
from tests.worlds import TODAY, seed_world
from trainer.database import connect
from trainer.dataset.preparation import Prepared, prepare, spooled
from trainer.encoding import Encoder

SMALL = 200_000
QUICK = {"epochs": 3, "batchSize": 256}


@pytest.fixture(scope="module")
def world(shared_database: str) -> str:
    """The URL of a database with 200 days of the platform."""
    seed_world(shared_database, days=200, units=5)
    return shared_database


def prepared(url: str, resident_bytes: int, model: str = "churn_risk") -> Prepared:
    request, _ = asked(request_document(Path("unused"), "v1", modelType=model, data={"window": "120d"}), url)
    with connect(url) as connection:
        return spooled(prepare(connection, request, {}, resident_bytes), request)


@pytest.mark.parametrize("model", ["churn_risk", "workload_forecast"])
def test_the_files_hold_each_row_once_and_nothing_else(world: str, model: str) -> None:
    whole, streamed = prepared(world, 1 << 30, model), prepared(world, SMALL, model)
    assert whole.spool is None
    assert streamed.spool is not None
    assert len(streamed.dataset) == pytest.approx(len(whole.dataset) / streamed.stride, abs=1)
    inputs = Encoder(streamed.features).encode_columns(whole.dataset.columns, len(whole.dataset))
    expected = Counter(row.tobytes() for row in inputs)
    generator = np.random.default_rng(1)
    shares = list(streamed.spool.shares(TODAY + timedelta(days=1), generator))
    assert Counter(row.tobytes() for share in shares for row in share.inputs) == expected
    assert sum(share.labels.sum() for share in shares) == whole.dataset.labels.sum()


def test_days_from_a_day_on_are_left_out(world: str) -> None:
    streamed = prepared(world, SMALL)
    assert streamed.spool is not None
    first = streamed.split.first_holdout_day
    before = sum(
        (share.days < np.datetime64(first)).sum() for share in streamed.spool.shares(first, np.random.default_rng(1))
    )
    whole = prepared(world, 1 << 30)
    assert streamed.spool.rows_before(first) == before == whole.split.training.sum()


def test_a_sample_is_spread_evenly_over_the_days(world: str) -> None:
    whole, streamed = prepared(world, 1 << 30), prepared(world, SMALL)
    assert streamed.stride >= 2
    for part in ("fitted", "holdout"):
        share = getattr(streamed.split, part).mean() / getattr(whole.split, part).mean()
        assert share == pytest.approx(1, abs=0.05)


def test_a_streamed_training_is_as_good_and_repeatable(world: str, artifacts: Path) -> None:
    data = {"window": "190d"}
    small = {"RESIDENT_MIB": "1"}
    document = request_document(artifacts, "v1", modelType="workload_forecast", data=data, hyperparameters=QUICK)
    resident = train(document, world, RESIDENT_MIB="64").manifest
    streamed = train(document | {"version": "v2"}, world, **small).manifest
    assert any("is a sample" in warning for warning in streamed.warnings)
    assert streamed.data["trainRows"] == resident.data["trainRows"]
    accuracies = [each.metrics["candidate"]["accuracy"] for each in (streamed, resident)]
    assert accuracies[0] == pytest.approx(accuracies[1], abs=0.02)
    again = train(document | {"version": "v3"}, world, **small).manifest
    assert again.files["shipped.safetensors"] == streamed.files["shipped.safetensors"]

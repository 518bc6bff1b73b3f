"""On real public data, models of one file each are as good as tuned references, and honest."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import trainer.models
from tests.public_data.references import boosted_auc, boosted_mae, smoothed
from tests.public_data.tables import load_births, load_customers
from tests.requests import asked, request_document
from tests.trainings import train
from trainer.artifact import Artifact
from trainer.database import connect
from trainer.dataset.preparation import Prepared, prepare
from trainer.models import known_models
from trainer.runtime import Predictor
from trainer.windows import STEP

# The customers have no dates of their own, so none counts less for its age.
CUSTOMERS = {"window": "300d", "holdout": "60d", "recencyHalfLife": "3650d"}
BIRTHS = {"window": "365d", "holdout": "28d", "recencyHalfLife": "180d"}


@pytest.fixture(scope="module", autouse=True)
def further_models() -> Iterator[None]:
    """The two files beside this one, as if they had been copied into the image."""
    directory = str(Path(__file__).parent / "models")
    trainer.models.__path__.append(directory)
    yield
    trainer.models.__path__.remove(directory)


def versions_of(url: str, model: str, data: dict[str, str], directory: Path) -> tuple[Artifact, Prepared]:
    """A trained version, and the rows it was trained and measured on."""
    document: dict[str, Any] = request_document(directory, "v1", modelType=model, policy=model, data=data)
    request, _ = asked(document, url)
    artifact = train(document, url)
    with connect(url) as connection:
        return artifact, prepare(connection, request, {})


@pytest.fixture(scope="module")
def churn(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Prepared]:
    load_customers(shared_database)
    return versions_of(shared_database, "telco_churn", CUSTOMERS, tmp_path_factory.mktemp("churn"))


@pytest.fixture(scope="module")
def births(shared_database: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[Artifact, Prepared]:
    load_births(shared_database)
    return versions_of(shared_database, "state_births", BIRTHS, tmp_path_factory.mktemp("births"))


def test_a_model_is_one_file() -> None:
    assert {"churn_risk", "workload_forecast", "telco_churn", "state_births"} <= set(known_models())


def test_churn_is_told_as_well_as_by_tuned_gradient_boosting(churn: tuple[Artifact, Prepared]) -> None:
    artifact, prepared = churn
    assert artifact.manifest.metrics["candidate"]["auc"] >= boosted_auc(prepared) - 0.02


def test_probabilities_of_real_customers_mean_what_they_say(churn: tuple[Artifact, Prepared]) -> None:
    figures = churn[0].manifest.metrics["candidate"]
    assert figures["ece"] <= 0.05
    assert figures["skill_vs_baseline"] > 0.1


def test_births_are_forecast_as_well_as_by_tuned_gradient_boosting(births: tuple[Artifact, Prepared]) -> None:
    artifact, prepared = births
    assert artifact.manifest.metrics["candidate"]["mae"] <= 1.05 * boosted_mae(prepared)


def test_births_are_forecast_as_well_as_by_exponential_smoothing(births: tuple[Artifact, Prepared]) -> None:
    artifact, prepared = births
    ours, reference = _errors_from_one_origin(artifact, prepared)
    assert ours <= 1.05 * reference


def test_four_of_five_days_lie_in_the_interval(births: tuple[Artifact, Prepared]) -> None:
    figures = births[0].manifest.metrics["candidate"]
    assert figures["coverage"] == pytest.approx(0.8, abs=0.1)
    assert figures["skill_vs_baseline"] > 0.1


def _errors_from_one_origin(artifact: Artifact, prepared: Prepared) -> tuple[float, float]:
    """Return both sides' mean absolute error of the first fourteen held-out days, told the day before them."""
    first = np.datetime64(prepared.split.first_holdout_day)
    dataset = prepared.dataset
    age = (dataset.days - first).astype(np.int64) - dataset.columns[STEP]
    rows = dataset.where(age == -1)
    ours = [answer.value for answer in Predictor(artifact, "evaluated").predict(rows.records())]
    # Rows of the first step are the series themselves: one for each state and day, the states in order.
    series = dataset.where(dataset.columns[STEP] == 1)
    history = series.where(series.days < first)
    states = int((history.days == history.days[-1]).sum())
    pasts = history.labels.reshape(-1, states).T
    horizon = len(rows) // states
    reference = np.stack([smoothed(past, horizon) for past in pasts], axis=1).ravel()
    return float(np.abs(ours - rows.labels).mean()), float(np.abs(reference - rows.labels).mean())

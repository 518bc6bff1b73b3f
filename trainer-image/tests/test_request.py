"""The request is read as the contract says, and refused with the field's name."""

from datetime import timedelta
from typing import Any

import orjson
import pytest

from trainer.errors import BadConfiguration
from trainer.outcome import Action
from trainer.request import Wish, read_request
from trainer.settings import Settings, read_settings

CONTRACT: dict[str, Any] = {
    "action": "train",
    "modelType": "churn_risk",
    "namespace": "members",
    "policy": "churn-risk",
    "run": "churn-risk-57",
    "version": "20261123-030000-57",
    "attempt": 1,
    "artifacts": {"path": "/artifacts/members/churn-risk"},
    "champion": {"version": "20261101-030000-51"},
    "data": {
        "window": "365d",
        "holdout": "30d",
        "labelDelay": "0d",
        "recencyHalfLife": "90d",
        "refit": True,
        "features": {"allow": ["*"], "deny": []},
    },
    "dataQuality": {
        "minRows": 100,
        "minDays": 90,
        "maxMissing": {"ratio": 0.1, "action": "Warn"},
        "outliers": [{"column": "union_tenure_years", "max": 50, "action": "Warn"}],
    },
    "hyperparameters": {"epochs": 150, "batchSize": 64, "dropout": 0.3, "l2": 0.01, "earlyStoppingPatience": 5},
    "checkpoint": {"path": "/artifacts/members/churn-risk/.checkpoints/20261123-030000-57"},
}


def settings(request: dict[str, Any] | None, **environment: str) -> Settings:
    asked = {} if request is None else {"RETRAIN_REQUEST": orjson.dumps(request).decode()}
    return read_settings({**asked, **environment})


def test_the_contracts_example_is_read() -> None:
    request = read_request(settings(CONTRACT), {}, {})
    assert request.action is Wish.TRAIN
    assert request.store.location == "/artifacts/members/churn-risk"
    assert request.data.recency_half_life == timedelta(days=90)
    assert request.data_quality.outliers[0].action is Action.WARN
    assert request.model.table == "member_snapshots"


def test_fields_and_hyperparameters_that_it_does_not_know_are_ignored() -> None:
    read_request(settings(CONTRACT | {"novel": 1, "hyperparameters": {"optimizer": "sgd"}}), {}, {})


def test_the_guides_variables_win_over_the_request_and_flags_over_both() -> None:
    asked = settings(CONTRACT, MODEL_EPOCHS="200", MODEL_BATCH_SIZE="32")
    hyperparameters = read_request(asked, {"hyperparameters": {"batchSize": 16, "epochs": None}}, {}).hyperparameters
    assert (hyperparameters.epochs, hyperparameters.batch_size, hyperparameters.dropout) == (200, 16, 0.3)


def test_without_a_request_the_defaults_stand() -> None:
    request = read_request(settings(None), {"version": "mine"}, CONTRACT)
    assert request.version == "mine"


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"modelType": "unheard_of"}, "unheard_of"),
        ({"version": "../../etc"}, "version"),
        ({"version": ".hidden"}, "version"),
        ({"champion": {"version": "a/b"}}, "champion.version"),
        ({"data": {"window": "1 year"}}, "data.window: a duration is"),
        ({"data": {"window": "36501d"}}, "data.window: 36501d is longer than 36500d"),
        ({"data": {"labelDelay": "999999999w"}}, "data.labelDelay"),
        ({"data": {"window": "30d", "holdout": "30d"}}, "data.holdout"),
        ({"data": {"recencyHalfLife": "0d"}}, "data.recencyHalfLife"),
        ({"hyperparameters": {"epochs": 0}}, "hyperparameters.epochs"),
        ({"action": "dance"}, "action"),
        ({"artifacts": {}}, "artifacts.path"),
    ],
    ids=str,
)
def test_a_request_that_cannot_be_is_refused_by_its_field(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(BadConfiguration, match=complaint):
        read_request(settings(CONTRACT | change), {}, {})


@pytest.mark.parametrize("text", ["{", "[]", '{"x": "' + "x" * 20_000 + '"}'], ids=["broken", "list", "too long"])
def test_what_is_not_a_request_is_refused(text: str) -> None:
    with pytest.raises(BadConfiguration, match="RETRAIN_REQUEST"):
        read_request(read_settings({"RETRAIN_REQUEST": text}), {}, {})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MODEL_EPOCHS", "many"),
        ("MODEL_BATCH_SIZE", "0"),
        ("DRY_RUN", "maybe"),
        ("CHECKPOINT_INTERVAL", "99999999w"),
    ],
)
def test_a_variable_that_cannot_be_read_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(BadConfiguration, match=name):
        read_settings({name: value})

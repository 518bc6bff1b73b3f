"""What a version answers to rows as a server gets them."""

import time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from tests.artifacts import FEATURES, write_artifact
from trainer.encoding import CLIP, Encoder, InvalidFeature
from trainer.runtime import Predictor

MEMBER: dict[str, object] = {
    "union_tenure_years": 3.5,
    "member_age": 41,
    "engagement_score": 61.2,
    "is_steward": True,
    "contract_type": "agency",
}


def test_a_prediction_has_a_probability_its_label_and_a_confidence(tmp_path: Path) -> None:
    probability, label, confidence = Predictor(write_artifact(tmp_path)).predict([MEMBER])[0]
    assert 0 < probability < 1
    assert label == (probability >= 0.5)
    assert confidence == max(probability, 1 - probability)


def test_a_batch_answers_as_its_rows_do_alone(tmp_path: Path) -> None:
    predictor = Predictor(write_artifact(tmp_path))
    rows = [
        MEMBER | {"member_age": age, "contract_type": contract} for age in (20, 70) for contract in ("agency", None)
    ]
    together = [prediction.probability for prediction in predictor.predict(rows)]
    alone = [predictor.predict([row])[0].probability for row in rows]
    assert together == pytest.approx(alone, abs=1e-7)


def test_absent_null_and_imputed_values_are_the_same(tmp_path: Path) -> None:
    predictor = Predictor(write_artifact(tmp_path))
    absent = {name: value for name, value in MEMBER.items() if name != "member_age"}
    answers = [
        absent,
        absent | {"member_age": None},
        absent | {"member_age": float("nan")},
        absent | {"member_age": 44},
    ]
    assert len({prediction.probability for prediction in predictor.predict(answers)}) == 1


def test_columns_that_the_model_does_not_know_change_nothing(tmp_path: Path) -> None:
    predictor = Predictor(write_artifact(tmp_path))
    assert predictor.predict([MEMBER | {"shift_percentage": 35}]) == predictor.predict([MEMBER])


def test_each_kind_of_weights_answers_for_itself(tmp_path: Path) -> None:
    artifact = write_artifact(tmp_path)
    assert Predictor(artifact, "evaluated").predict([MEMBER]) != Predictor(artifact, "shipped").predict([MEMBER])


@pytest.mark.parametrize(
    ("name", "value"),
    [("member_age", "41"), ("member_age", [41]), ("is_steward", "true"), ("contract_type", 3), ("member_age", 10**400)],
)
def test_a_value_of_a_wrong_type_is_named(tmp_path: Path, name: str, value: object) -> None:
    with pytest.raises(InvalidFeature, match=name):
        Predictor(write_artifact(tmp_path)).predict([MEMBER | {name: value}])


def test_rows_are_encoded_as_the_manifest_says() -> None:
    tenure, age, engagement, steward, marked, *contract = Encoder(FEATURES).encode([MEMBER])[0]
    assert [tenure, age, engagement] == pytest.approx([(3.5 - 9) / 6, (41 - 44) / 12, (61.2 - 50) / 20])
    assert steward == pytest.approx(0.9 / 0.3)
    assert marked == 0
    assert contract == [1, 0, 0]


def test_a_missing_value_is_imputed_and_marked() -> None:
    row = Encoder(FEATURES).encode([MEMBER | {"union_tenure_years": None, "contract_type": "unheard of"}])[0]
    assert row[0] == pytest.approx((8 - 9) / 6)
    assert row[4] == 1
    assert list(row[5:]) == [0, 0, 0]


def test_a_value_far_outside_cannot_drown_all_others() -> None:
    rows = [MEMBER | {"member_age": Decimal(4100)}, MEMBER | {"member_age": -np.inf}]
    assert list(Encoder(FEATURES).encode(rows)[:, 1]) == [CLIP, -CLIP]


def test_columns_are_encoded_as_rows_are() -> None:
    rows = [MEMBER, MEMBER | {"union_tenure_years": None, "contract_type": None}, MEMBER | {"is_steward": None}]
    columns = {
        feature.name: np.array([row[feature.name] for row in rows], dtype=object if feature.categories else np.float64)
        for feature in FEATURES
    }
    encoder = Encoder(FEATURES)
    assert (encoder.encode_columns(columns, len(rows)) == encoder.encode(rows)).all()


def test_one_row_is_answered_well_within_a_millisecond(tmp_path: Path) -> None:
    predictor = Predictor(write_artifact(tmp_path))
    durations = []
    for _ in range(500):
        started = time.perf_counter()
        predictor.predict([MEMBER])
        durations.append(time.perf_counter() - started)
    # The median is about 20 µs; the limit leaves room for a busy machine, not for another runtime.
    assert sorted(durations)[len(durations) // 2] < 200e-6

"""Rows are split in time, weighted by age, and encoded by what the training part knows."""

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from tests.requests import asked, request_document
from tests.worlds import TODAY, seed_world
from trainer.database import connect
from trainer.dataset.features import fit_features
from trainer.dataset.preparation import Prepared, prepare
from trainer.dataset.reading import Dataset
from trainer.dataset.split import recency_weights, temporal_split
from trainer.errors import DataRejected
from trainer.models.base import FeatureKind
from trainer.tasks import BINARY
from trainer.weighting import weighted_quantile

LAST = date(2026, 11, 21)


def dataset(days: int = 200, rows_a_day: int = 10) -> Dataset:
    """Rows of one feature, oldest first; every second one positive."""
    numbers = np.repeat(np.arange(days), rows_a_day)
    first = np.datetime64(LAST) - np.timedelta64(days - 1, "D")
    labels = (np.arange(len(numbers)) % 2).astype(np.float64)
    return Dataset(first + numbers.astype("timedelta64[D]"), labels, {"x": numbers.astype(np.float64)})


def split_days(rows: Dataset, mask: "np.ndarray[tuple[int], np.dtype[np.bool_]]") -> tuple[date, date]:
    chosen = rows.days[mask]
    return chosen.min().astype(date), chosen.max().astype(date)


def test_the_parts_follow_each_other_in_time_and_share_no_day() -> None:
    rows = dataset()
    split = temporal_split(rows, last=LAST, holdout=timedelta(days=30), half_life=timedelta(days=90))
    fitted, validation, holdout = (split_days(rows, mask) for mask in (split.fitted, split.validation, split.holdout))
    assert fitted[1] < validation[0] <= validation[1] < holdout[0]
    assert holdout == (LAST - timedelta(days=29), LAST)
    assert split.first_holdout_day == holdout[0]
    assert (split.fitted | split.validation | split.holdout).all()


def test_a_short_half_life_spends_few_days_on_validation() -> None:
    rows = dataset()
    short, long = (
        temporal_split(rows, last=LAST, holdout=timedelta(days=7), half_life=timedelta(days=days)) for days in (10, 365)
    )
    assert short.validation.sum() < long.validation.sum() / 3


def test_too_small_a_part_is_refused_by_its_name() -> None:
    with pytest.raises(DataRejected, match="20 rows in the hold-out part, at least 30"):
        temporal_split(dataset(), last=LAST, holdout=timedelta(days=2), half_life=timedelta(days=90))


def test_a_row_counts_half_after_each_half_life() -> None:
    days = np.array([LAST, LAST - timedelta(days=90), LAST - timedelta(days=180)], dtype="datetime64[D]")
    assert list(recency_weights(days, LAST, timedelta(days=90))) == [1, 0.5, 0.25]


def test_both_outcomes_weigh_the_same_whatever_their_frequency() -> None:
    labels = np.array([1.0] * 5 + [0.0] * 95)
    weights = BINARY.fitting_weights(labels, np.linspace(0.1, 1, 100))
    assert weights[labels == 1].sum() == pytest.approx(weights[labels == 0].sum())
    assert weights.mean() == pytest.approx(1)


def test_the_median_and_the_scale_follow_the_weights() -> None:
    values, weights = np.array([1.0, 2.0, 3.0, 100.0]), np.array([1.0, 1.0, 1.0, 30.0])
    assert weighted_quantile(values, np.ones(4), 0.5) == 2
    assert weighted_quantile(values, weights, 0.5) == 100
    rows = Dataset(np.array([LAST] * 4, dtype="datetime64[D]"), np.ones(4), {"x": values})
    (feature,) = fit_features(rows, weights, {"x": FeatureKind.NUMERIC}).features
    assert feature.mean == pytest.approx(np.average(values, weights=weights))
    assert feature.scale == pytest.approx(np.sqrt(np.cov(values, aweights=weights, ddof=0)))


def prepared_world(url: str, **data: str) -> Prepared:
    request, _ = asked(request_document(Path("unused"), "v1", data=data), url)
    with connect(url) as connection:
        return prepare(connection, request, {})


def test_rows_beyond_the_window_or_without_an_outcome_are_not_read(database: str) -> None:
    seed_world(database, days=300)
    found = prepared_world(database, window="120d")
    assert found.last == TODAY - timedelta(days=1)
    assert found.dataset.days[0] == np.datetime64(found.last - timedelta(days=119))
    assert found.dataset.days[-1] == np.datetime64(found.last)
    assert len(found.dataset) == pytest.approx(120 * 240 / 7, rel=0.02)


def test_the_hold_out_ends_where_outcomes_are_old_enough_to_be_trusted(database: str) -> None:
    seed_world(database, days=200)
    found = prepared_world(database, labelDelay="14d", holdout="20d")
    assert found.last == TODAY - timedelta(days=15)
    assert found.split.first_holdout_day == TODAY - timedelta(days=34)


def test_nothing_of_the_hold_out_enters_the_encoding(database: str) -> None:
    seed_world(database, days=200)
    before = prepared_world(database).features
    with connect(database) as connection:
        connection.execute(
            "update member_snapshots set member_age = 900, contract_type = 'novel' where as_of > %s",
            (TODAY - timedelta(days=31),),
        )
    assert prepared_world(database).features == before


def test_what_is_read_is_what_the_table_holds(database: str) -> None:
    seed_world(database, days=200)
    with connect(database) as connection:
        connection.execute(
            """update member_snapshots
               set member_age = null, is_steward = null, contract_type = 'NA', engagement_score = 1e-3
               where member_id = 'member-0001'"""
        )
    columns = prepared_world(database).dataset.where(np.isnan(prepared_world(database).dataset.columns["is_steward"]))
    row = columns.records()[0]
    assert (row["member_age"], row["is_steward"], row["contract_type"], row["engagement_score"]) == (
        None,
        None,
        "NA",
        1e-3,
    )

"""From the request to what a network is fitted on; refuses data that would teach it something false."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from psycopg import Connection

from trainer.artifact.manifest import Feature
from trainer.database import column_types
from trainer.dataset.columns import derived_columns, feature_columns
from trainer.dataset.features import fit_features
from trainer.dataset.leakage import require_no_leak
from trainer.dataset.reading import Dataset, newest_labelled_day, present_ratios_of_unlabelled, read_labelled
from trainer.dataset.series import rows_of_series
from trainer.dataset.split import Split, recency_weights, temporal_split
from trainer.errors import DataRejected
from trainer.models.base import FeatureKind
from trainer.request import RetrainRequest

_LOG = logging.getLogger("trainer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The labelled rows with their split, the features fitted on the training part, and what people should know.

    `types` are all columns of the table; the dataset also has the columns that were asked for besides the features.
    """

    types: Mapping[str, str]
    dataset: Dataset
    split: Split
    features: tuple[Feature, ...]
    last: date
    warnings: tuple[str, ...]


def prepare(connection: Connection, request: RetrainRequest, besides: Mapping[str, FeatureKind]) -> Prepared:
    """Return the rows of the request's window, split and encoded; DataRejected if they must not be trained on.

    Columns in `besides` (what the champion needs) are read too, if the table has them.
    """
    model, selection = request.model, request.data
    types = column_types(connection, model.table)
    kinds = feature_columns(model, types, selection.features)
    last = newest_labelled_day(connection, model) - selection.label_delay
    read = {name: kind for name, kind in besides.items() if name in types} | kinds
    dataset = _rows(connection, request, read, last)
    split = temporal_split(dataset, last=last, holdout=selection.holdout, half_life=selection.recency_half_life)
    require_no_leak(model.task, dataset, kinds, *present_ratios_of_unlabelled(connection, model, kinds, since=last))
    weights = recency_weights(dataset.days, split.first_holdout_day, selection.recency_half_life)
    kinds |= derived_columns(model, selection.features)
    fitted = fit_features(dataset.where(split.training), weights[split.training], kinds)
    if not fitted.features:
        raise DataRejected("NoFeatures", f"no column of {model.table} varies in the training part")
    _LOG.debug(
        "rows: %d fitted, %d validation, %d held out from %s to %s; features: %s",
        *(int(mask.sum()) for mask in (split.fitted, split.validation, split.holdout)),
        split.first_holdout_day,
        last,
        ", ".join(f"{feature.name} ({feature.kind})" for feature in fitted.features),
    )
    return Prepared(
        types=types, dataset=dataset, split=split, features=fitted.features, last=last, warnings=fitted.warnings
    )


def _rows(connection: Connection, request: RetrainRequest, kinds: Mapping[str, FeatureKind], last: date) -> Dataset:
    """Return the labelled rows of the request's window; of series, a row for each target day and origin."""
    model, window = request.model, request.data.window
    if model.windows is None:
        dataset, _ = read_labelled(connection, model, kinds, last=last, window=window)
        return dataset
    context = timedelta(days=model.windows.context)
    daily, ids = read_labelled(connection, model, kinds, last=last, window=window + context)
    return rows_of_series(daily, ids, model.windows, last - window + timedelta(days=1))

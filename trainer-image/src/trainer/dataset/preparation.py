"""From the request to what a network is fitted on; refuses data that would teach it something false."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date

from psycopg import Connection

from trainer.artifact.manifest import Feature
from trainer.database import column_types
from trainer.dataset.columns import derived_columns, feature_columns
from trainer.dataset.features import fit_features
from trainer.dataset.leakage import require_features_of_their_day, require_no_leak
from trainer.dataset.reading import Dataset, newest_labelled_day, present_ratios_of_unlabelled
from trainer.dataset.source import Source
from trainer.dataset.split import Split, recency_weights, temporal_split
from trainer.dataset.spool import Spool
from trainer.encoding import Encoder
from trainer.errors import DataRejected
from trainer.models.base import FeatureKind
from trainer.request import RetrainRequest
from trainer.settings import RESIDENT_BYTES

_LOG = logging.getLogger("trainer")


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The labelled rows with their split, the features fitted on the training part, and what people should know.

    `types` are all columns of the table; the dataset also has the columns that were asked for besides the features.
    Of a table that is larger than memory should be, the dataset has each `stride`-th row, and `spool` all of them.
    """

    types: Mapping[str, str]
    dataset: Dataset
    split: Split
    features: tuple[Feature, ...]
    last: date
    warnings: tuple[str, ...]
    source: Source
    stride: int = 1
    spool: Spool | None = None


def prepare(
    connection: Connection,
    request: RetrainRequest,
    besides: Mapping[str, FeatureKind],
    resident_bytes: int = RESIDENT_BYTES,
) -> Prepared:
    """Return the rows of the request's window, split and encoded; DataRejected if they must not be trained on.

    Columns in `besides` (what the champion needs) are read too, if the table has them. Rows beyond `resident_bytes` are
    not kept: see `spooled`.
    """
    model, selection = request.model, request.data
    types = column_types(connection, model.table)
    kinds = feature_columns(model, types, selection.features)
    require_features_of_their_day(connection, model, types, kinds)
    last = newest_labelled_day(connection, model) - selection.label_delay
    read = {name: kind for name, kind in besides.items() if name in types} | kinds
    source = Source.of(connection, model, read, last, selection.window)
    stride = max(1, -(-source.bytes_in_memory // resident_bytes))
    dataset = source.every(stride)
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
        types=types,
        dataset=dataset,
        split=split,
        features=fitted.features,
        last=last,
        warnings=(*fitted.warnings, *_sampled(stride)),
        source=source,
        stride=stride,
    )


def spooled(prepared: Prepared, request: RetrainRequest) -> Prepared:
    """Return it with all rows on disk, if the dataset is only a sample of them."""
    if prepared.stride == 1:
        return prepared
    bytes_expected = prepared.source.bytes_in_memory // 2
    needs = request.model.task.needs
    spool = Spool(Encoder(prepared.features), needs, bytes_expected, request.hyperparameters.seed)
    spool.fill(prepared.source.blocks(f"spool {request.model.table}"))
    return replace(prepared, spool=spool)


def _sampled(stride: int) -> Iterator[str]:
    if stride > 1:
        yield f"every {stride}th row is a sample for statistics, early stopping and figures; all rows are fitted on"

"""Which columns of the training table are features, found by their types."""

from collections.abc import Mapping

from trainer.errors import DataRejected
from trainer.models.base import FeatureKind, ModelDefinition, feature_kind, is_wanted
from trainer.request import FeaturePatterns


def feature_columns(
    model: ModelDefinition, types: Mapping[str, str], patterns: FeaturePatterns
) -> dict[str, FeatureKind]:
    """Return the features among a table's columns, in order: every column whose type and name allow it.

    The columns that say who, when and what happened are never among them, nor are dates and documents. DataRejected
    if a column that the model cannot do without is missing, or no feature is left.
    """
    require_own_columns(model, types)
    deny = (*patterns.deny, *model.denied_features)
    features = {
        name: kind
        for name, column_type in types.items()
        if name not in model.own_columns
        and (kind := feature_kind(column_type)) is not None
        and is_wanted(name, patterns.allow, deny)
    }
    if not features and model.windows is None:
        raise DataRejected("NoFeatures", f"no column of {model.table} is a feature that the policy allows")
    return features


def derived_columns(model: ModelDefinition, patterns: FeaturePatterns) -> dict[str, FeatureKind]:
    """Return the features that are computed from the label's past; only `deny` applies to them."""
    if model.windows is None:
        return {}
    kinds = dict.fromkeys(model.windows.numeric, FeatureKind.NUMERIC)
    kinds |= dict.fromkeys(model.windows.categorical, FeatureKind.CATEGORICAL)
    return {name: kind for name, kind in kinds.items() if is_wanted(name, ("*",), patterns.deny)}


def require_own_columns(model: ModelDefinition, types: Mapping[str, str]) -> None:
    """Raise DataRejected if the table, or a column that the model cannot do without, is missing."""
    if not types:
        raise DataRejected("TableMissing", f"the table {model.table} is not there")
    for name in (model.id_column, model.date_column, model.label_column):
        if name not in types:
            raise DataRejected("MissingColumn", f"the column {name} of {model.table} is missing")

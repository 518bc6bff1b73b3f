"""How far recent predictions and their features have moved from what the version was trained on."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from trainer.daemon.postgres import Connection
from trainer.monitor.totals import Version
from trainer.monitor.two_sample import TwoSample, chi_squared, kolmogorov_smirnov

# The newest predictions of a version: with ten bins chance alone makes a PSI of some 0.005 (bins ÷ rows) of that many.
# A quiet model's reach back a day.
SAMPLE = 2_000
MAX_AGE = timedelta(hours=24)
# Fewer rows would show a PSI above 0.05 by chance alone.
FEWEST = 200
# A bin that is empty on one side; without a floor the index would be infinite.
SMALLEST_SHARE = 1e-4


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of one feature, or of the predictions (`feature` None).

    `psi` and `test` are None with fewer than 200 values, `missing` (a share, 0 to 1) with fewer than 200 predictions.
    """

    version: Version
    feature: str | None
    psi: float | None
    missing: float | None
    test: TwoSample | None = None


@dataclass(frozen=True, slots=True)
class Expected:
    """A histogram of the reference: the shares of its bins, of so many (effective) rows that had a value."""

    shares: Sequence[float]
    rows: float
    is_ordered: bool


def population_stability_index(expected: Sequence[float], counts: Sequence[int]) -> float:
    """Return Σ (aᵢ − eᵢ) · ln(aᵢ ÷ eᵢ) over bins, with shares aᵢ of the counts and eᵢ expected (Siddiqi 2006, ch. 10).

    Below 0.1 is no change to speak of, above 0.2 a considerable one. Shares below 0.0001 are taken as that.
    """
    total = sum(counts)
    pairs = zip(expected, counts, strict=True)
    shares = ((max(e, SMALLEST_SHARE), max(count / total, SMALLEST_SHARE)) for e, count in pairs)
    return sum((a - e) * math.log(a / e) for e, a in shares)


async def measure_drift(connection: Connection, namespace: str, model_types: Iterable[str]) -> list[Drift]:
    """Return the drift of every version of the namespace that has a reference and enough recent predictions."""
    parameters = {"namespace": namespace, "types": sorted(model_types), "sample": SAMPLE, "age": MAX_AGE}
    rows = await (await connection.execute(_HISTOGRAMS, parameters)).fetchall()
    return list(drifts(rows))


def drifts(rows: Iterable[tuple[Any, ...]]) -> Iterator[Drift]:
    """Yield the drift of each feature from rows (type, version, feature, shares, reference rows, ordered, bin, count).

    A row's `bin` is None for missing values.
    """
    bins: dict[tuple[Version, str | None], dict[int | None, int]] = {}
    expected: dict[tuple[Version, str | None], Expected] = {}
    for model_type, version, feature, shares, reference_rows, is_ordered, bin_, count in rows:
        key = ((model_type, version), feature)
        expected[key] = Expected(shares, reference_rows, is_ordered)
        bins.setdefault(key, {})[bin_] = count
    for (version, feature), counts in bins.items():
        yield _drift(version, feature, expected[version, feature], counts)


def _drift(version: Version, feature: str | None, expected: Expected, counts: Mapping[int | None, int]) -> Drift:
    missing, rows = counts.get(None, 0), sum(counts.values())
    present = [counts.get(bin_, 0) for bin_ in range(len(expected.shares))]
    share_missing = missing / rows if rows >= FEWEST else None
    if sum(present) < FEWEST:
        return Drift(version, feature, None, share_missing)
    index = population_stability_index(expected.shares, present)
    return Drift(version, feature, index, share_missing, _test(expected, present))


def _test(expected: Expected, counts: Sequence[int]) -> TwoSample | None:
    # An artifact of an image that did not note how many rows it was trained on cannot be tested against.
    if expected.rows <= 0:
        return None
    test = kolmogorov_smirnov if expected.is_ordered else chi_squared
    return test(expected.shares, expected.rows, counts)


# Bins are counted where the rows are. `width_bucket` and the last, nameless category are as in the trainer's reference.
_HISTOGRAMS = """
    WITH reference AS MATERIALIZED (
        SELECT model_type, version, name,
               ARRAY(SELECT e::float8 FROM jsonb_array_elements_text(histogram -> 'edges') AS e) AS edges,
               ARRAY(SELECT jsonb_array_elements_text(histogram -> 'categories')) AS categories,
               ARRAY(SELECT s::float8 FROM jsonb_array_elements_text(histogram -> 'shares') AS s) AS shares,
               coalesce((reference ->> 'rows')::float8 * (1 - (histogram ->> 'missing')::float8), 0) AS weight
        FROM model_metadata
        CROSS JOIN LATERAL (
            SELECT key AS name, value AS histogram FROM jsonb_each(reference -> 'features')
            UNION ALL SELECT NULL, reference -> 'prediction'
        ) AS histograms
        WHERE namespace = %(namespace)s AND model_type = ANY(%(types)s) AND histogram IS NOT NULL
    ), recent AS MATERIALIZED (
        SELECT m.model_type, m.version, p.features, p.prediction
        FROM model_metadata AS m
        CROSS JOIN LATERAL (
            SELECT features, prediction FROM ml_predictions
            WHERE model_type = m.model_type AND model_version = m.version AND predicted_at > now() - %(age)s
            ORDER BY predicted_at DESC LIMIT %(sample)s
        ) AS p
        WHERE m.namespace = %(namespace)s AND m.model_type = ANY(%(types)s) AND m.reference IS NOT NULL
    ), valued AS (
        SELECT model_type, version, r.name, edges, categories, shares, weight,
               CASE WHEN r.name IS NULL THEN to_jsonb(p.prediction) ELSE p.features -> r.name END AS value
        FROM recent AS p JOIN reference AS r USING (model_type, version)
    )
    SELECT model_type, version, name, shares, weight, cardinality(categories) = 0 AS is_ordered,
           CASE WHEN value IS NULL OR jsonb_typeof(value) = 'null' THEN NULL
                WHEN cardinality(categories) > 0
                THEN coalesce(array_position(categories, value #>> '{}') - 1, cardinality(categories))
                WHEN jsonb_typeof(value) = 'number' THEN width_bucket((value #>> '{}')::float8, edges) END AS bin,
           count(*)
    FROM valued GROUP BY 1, 2, 3, 4, 5, 6, 7
"""

"""Measures a version as it serves: loaded from its files, through the numpy runtime, row by row as dicts."""

import time
import tracemalloc
from collections.abc import Sequence

import numpy as np

from trainer.artifact import load
from trainer.artifact.files import Files
from trainer.dataset.reading import Dataset
from trainer.models.base import ModelDefinition
from trainer.runtime import Predictor

_WARM_UP_CALLS = 50
_TIMED_CALLS = 500
_BYTES_PER_MB = 1e6
_DIGITS = 6


def measured(model: ModelDefinition, files: Files, rows: Dataset) -> dict[str, float]:
    """Return the figures of the version's evaluated weights on these rows: the model's metrics and two of serving.

    `latency_p95_ms` is the 95th percentile of answering one row in process; `model_memory_mb` what one more loaded
    model adds to a process that has the runtime. InvalidFeature if a row's values do not fit the version's features.
    """
    predictor, added_bytes = _loaded_with_its_memory(files)
    records = rows.records()
    figures = model.task.figures(predictor.predict(records), rows.labels, rows.columns)
    figures |= {
        "latency_p95_ms": _latency_p95_ms(predictor, records),
        "model_memory_mb": added_bytes / _BYTES_PER_MB,
    }
    return {name: round(value, _DIGITS) for name, value in figures.items()}


def _loaded_with_its_memory(files: Files) -> tuple[Predictor, int]:
    # numpy reports its buffers to tracemalloc; the interpreter's own memory does not shrink or grow by chance.
    Predictor(load(files), "evaluated")
    tracemalloc.start()
    try:
        predictor = Predictor(load(files), "evaluated")
        added_bytes, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return predictor, added_bytes


def _latency_p95_ms(predictor: Predictor, records: Sequence[dict[str, object]]) -> float:
    durations = []
    for call in range(_WARM_UP_CALLS + _TIMED_CALLS):
        row = [records[call % len(records)]]
        started = time.perf_counter_ns()
        predictor.predict(row)
        durations.append(time.perf_counter_ns() - started)
    return float(np.percentile(durations[_WARM_UP_CALLS:], 95)) / 1e6

"""What every runtime's module shares: it runs in a throw-away environment, with nothing but numpy for certain."""

import json
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Answer = Callable[[NDArray[np.float32]], float]
Weights = list[tuple[NDArray[np.float32], NDArray[np.float32]]]
_FURTHER = 20
_WARM_UP = 200
_COMPARED = 50
# `model.predict` takes tens of milliseconds a row.
_MAX_SECONDS = 30.0


def weights_in(path: str) -> Weights:
    """Return the layers' kernels and biases."""
    with np.load(path) as arrays:
        return [(arrays[f"k{i}"], arrays[f"b{i}"]) for i in range(len(arrays.files) // 2)]


def main(load: Callable[[Weights, str], Answer], convert: Callable[[Weights, str], None] | None = None) -> None:
    """Do what the arguments ask: convert, answer once, or measure and print JSON."""
    action, path, model, *rest = sys.argv[1:]
    weights = weights_in(path)
    if action == "convert":
        assert convert is not None  # noqa: S101
        convert(weights, model)
        return
    answer = load(weights, model)
    rows = np.random.default_rng(1).normal(size=(2_000, weights[0][0].shape[0])).astype(np.float32)
    answer(rows[:1])
    if action == "measure":
        print(json.dumps(_measured(answer, rows, int(rest[0]), lambda: load(weights, model))))


def _measured(
    answer: Answer, rows: NDArray[np.float32], count: int, load: Callable[[], Answer]
) -> dict[str, float | list[float]]:
    durations: list[int] = []
    deadline = time.perf_counter() + _MAX_SECONDS
    for index in range(_WARM_UP + count):
        row = rows[index % len(rows) : index % len(rows) + 1]
        began = time.perf_counter_ns()
        answer(row)
        durations.append(time.perf_counter_ns() - began)
        if time.perf_counter() > deadline:
            break
    timed = np.array(durations[min(_WARM_UP, len(durations) // 2) :]) / 1000
    rss = _resident()
    further = [load() for _ in range(_FURTHER)]
    for one in further:
        one(rows[:1])
    added = (_resident() - rss) / _FURTHER
    return {
        "p50": float(np.percentile(timed, 50)),
        "p95": float(np.percentile(timed, 95)),
        "rss": rss,
        "further": added,
        "answers": [answer(rows[index : index + 1]) for index in range(_COMPARED)],
    }


def _resident() -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found is not None  # noqa: S101
    return int(found[1]) / 1024

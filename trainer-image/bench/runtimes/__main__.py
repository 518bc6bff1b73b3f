"""`python -m bench.runtimes`: a throw-away virtual environment for each runtime, and a table.

Each runtime gets the same weights (the churn model's shape) and answers the same rows, one at a time, on one thread, in
a process of its own. The environments are made by uv from its cache, and removed.
"""

import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

_HERE = Path(__file__).parent
_UV = _HERE.parents[2] / ".uv/bin/uv"
# The features of the churn model, encoded, and its hidden layers.
SIZES = (24, 32, 16, 1)
_STARTS = 3
_ROWS = 20_000


@dataclass(frozen=True, slots=True)
class Runtime:
    """A runtime: the module beside this one that measures it, what it needs, and what making its model needs."""

    name: str
    module: str
    packages: tuple[str, ...]
    to_convert: tuple[str, ...] = ()


RUNTIMES = (
    Runtime("plain numpy", "plain_numpy", ("numpy",)),
    Runtime("LiteRT", "litert", ("numpy", "ai-edge-litert"), ("tensorflow-cpu",)),
    Runtime("ONNX Runtime", "onnx_runtime", ("numpy", "onnxruntime"), ("onnx",)),
    Runtime("TensorFlow, tf.function", "tensorflow_function", ("tensorflow-cpu",)),
    Runtime("TensorFlow, model.predict", "tensorflow_predict", ("tensorflow-cpu",)),
)


def main() -> None:
    """Measure every runtime and print the table as Markdown."""
    with tempfile.TemporaryDirectory(prefix="runtimes-") as place:
        weights = Path(place) / "weights.npz"
        generator = np.random.default_rng(7)
        shapes = list(pairwise(SIZES))
        arrays = {f"k{i}": generator.normal(0, 0.4, shape).astype(np.float32) for i, shape in enumerate(shapes)}
        arrays |= {f"b{i}": generator.normal(0, 0.1, shape[1]).astype(np.float32) for i, shape in enumerate(shapes)}
        np.savez(weights, **arrays)  # type: ignore[arg-type]
        print(
            "| Runtime | p50 | p95 | start to first answer | RSS, 1 model | + 1 model | on disk | layer | difference |"
        )
        print("|---|---|---|---|---|---|---|---|---|")
        expected: list[float] = []
        for runtime in RUNTIMES:
            found = _measured(runtime, Path(place), weights)
            expected = expected or found["answers"]
            gap = float(np.abs(np.array(found["answers"]) - np.array(expected)).max())
            print(_row(runtime.name, found, gap), flush=True)


def _measured(runtime: Runtime, place: Path, weights: Path) -> Mapping[str, Any]:
    python = _environment(place, runtime.packages)
    model = place / f"{runtime.module}.model"
    if runtime.to_convert:
        converter = _environment(place, (*runtime.packages, *runtime.to_convert))
        _run(converter, runtime.module, "convert", weights, model)
    arguments = (runtime.module, "measure", weights, model, str(_ROWS))
    starts = []
    for _ in range(_STARTS):
        began = time.perf_counter()
        _run(python, runtime.module, "start", weights, model)
        starts.append(time.perf_counter() - began)
    found: dict[str, Any] = json.loads(_run(python, *arguments).splitlines()[-1])
    return {**found, "start": statistics.median(starts), **sizes(python.parents[1] / "lib")}


def sizes(directory: Path) -> Mapping[str, int]:
    """Return what a directory takes on disk and, as a layer of an image, in a registry: gzipped tar, both in MB."""
    disk = subprocess.run(["du", "-sm", directory], check=True, capture_output=True, text=True)  # noqa: S603, S607
    layer = 0
    with subprocess.Popen(["tar", "-C", directory, "-cz", "."], stdout=subprocess.PIPE) as packing:  # noqa: S603, S607
        while packing.stdout is not None and (chunk := packing.stdout.read(1 << 20)):
            layer += len(chunk)
    return {"disk": int(disk.stdout.split()[0]), "layer": round(layer / 1e6)}


def _environment(place: Path, packages: tuple[str, ...]) -> Path:
    """Return the Python of an environment with these packages, and nothing else; it is made once."""
    home = place / "-".join(packages)
    python = home / "bin/python"
    if not python.exists():
        subprocess.run([_UV, "venv", "--quiet", "--python", sys.executable, home], check=True)  # noqa: S603 - fixed
        subprocess.run([_UV, "pip", "install", "--quiet", "--python", python, *packages], check=True)  # noqa: S603
    return python


def _run(python: Path, *arguments: object) -> str:
    environment = {
        "PYTHONPATH": str(_HERE),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "OMP_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "",
    }
    command = [python, "-m", *map(str, arguments)]
    done = subprocess.run(command, env=environment, check=False, capture_output=True, text=True)  # noqa: S603 - fixed
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


def _row(name: str, found: Mapping[str, Any], gap: float) -> str:
    return (
        f"| {name} | {found['p50']:.1f} µs | {found['p95']:.1f} µs | {found['start']:.2f} s | {found['rss']:.0f} MiB "
        f"| {found['further']:.2f} MiB | {found['disk']} MB | {found['layer']} MB | {gap:.0e} |"
    )


if __name__ == "__main__":
    main()

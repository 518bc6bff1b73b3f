"""Which device trains: what there is, what is asked for, and where there is a choice, what was measured."""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from trainer.errors import BadConfiguration
from trainer.request import Hyperparameters
from trainer.training.rows import Rows

_LOG = logging.getLogger("trainer")
CPU, GPU = "CPU", "GPU"
# More rows than this say nothing more about which device is quicker.
_MAX_PROBED_ROWS = 100_000


@dataclass(frozen=True, slots=True)
class Seen:
    """What TensorFlow sees: how many GPUs, and whether it was built to use any."""

    gpus: int
    built_with_cuda: bool


def choose(seen: Seen, *, require_gpu: bool, seconds_an_epoch: Callable[[str], float]) -> str:
    """Return `GPU` or `CPU`, and log why; BadConfiguration if it must be a GPU and there is none.

    A network of a thousand weights may well be quicker on a CPU: where nobody requires a GPU, an epoch on each decides.
    """
    if not seen.gpus and require_gpu:
        raise BadConfiguration("REQUIRE_GPU is set and TensorFlow sees no GPU")
    if not seen.gpus:
        level = logging.WARNING if seen.built_with_cuda else logging.INFO
        why = "sees no GPU, though it was built for them" if seen.built_with_cuda else "was not built for GPUs"
        _LOG.log(level, "trains on the CPU: this TensorFlow %s", why)
        return CPU
    if require_gpu:
        _LOG.info("trains on the GPU: REQUIRE_GPU is set, and %d are seen", seen.gpus)
        return GPU
    took = {device: seconds_an_epoch(device) for device in (GPU, CPU)}
    chosen = min(took, key=lambda device: took[device])
    _LOG.info("trains on the %s: an epoch takes %.3f s on the GPU, %.3f s on the CPU", chosen, took[GPU], took[CPU])
    return chosen


@contextmanager
def training_device(
    layer_sizes: Sequence[int], task: str, rows: int, hyperparameters: Hyperparameters, *, require_gpu: bool
) -> Iterator[str]:
    """Yield the device that was chosen for a training of this size; what is made inside is made on it."""
    # TensorFlow is imported here, once the data is known to be worth it.
    from trainer.training.network import on_device, seen_devices  # noqa: PLC0415

    def measured(device: str) -> float:
        return seconds_an_epoch(device, layer_sizes, task, min(rows, _MAX_PROBED_ROWS), hyperparameters)

    device = choose(seen_devices(), require_gpu=require_gpu, seconds_an_epoch=measured)
    with on_device(device):
        yield device


def seconds_an_epoch(
    device: str, layer_sizes: Sequence[int], task: str, rows: int, hyperparameters: Hyperparameters
) -> float:
    """Return how long the second epoch over so many random rows takes on the device; the first one compiles."""
    from trainer.training.network import Network, on_device  # noqa: PLC0415 - TensorFlow

    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(rows, layer_sizes[0])).astype(np.float32)
    probe = Rows(inputs, generator.integers(0, 2, rows).astype(np.float32), np.ones(rows))
    ends: list[float] = []
    with on_device(device):
        Network(layer_sizes, task, hyperparameters).fit_for(
            "probe", probe, 2, lambda _: ends.append(time.perf_counter())
        )
    return ends[1] - ends[0]

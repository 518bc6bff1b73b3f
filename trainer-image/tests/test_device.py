"""Which device trains, and what is said of it. No GPU takes part: what TensorFlow would see of one is told."""

import logging
from collections.abc import Callable

import pytest

from trainer.errors import BadConfiguration
from trainer.request import Hyperparameters
from trainer.training.device import CPU, GPU, Seen, choose, seconds_an_epoch, training_device

SIZES = (4, 8, 1)
WISHES = Hyperparameters(batch_size=32)


def taking(on_gpu: float, on_cpu: float) -> Callable[[str], float]:
    return {GPU: on_gpu, CPU: on_cpu}.__getitem__


def unasked(device: str) -> float:
    raise AssertionError(f"nothing had to be measured on the {device}")


@pytest.fixture(autouse=True)
def _heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="trainer")


def test_an_image_without_cuda_trains_on_the_cpu_without_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    assert choose(Seen(0, built_with_cuda=False), require_gpu=False, seconds_an_epoch=unasked) == CPU
    [record] = caplog.records
    assert record.levelname == "INFO"
    assert record.getMessage() == "trains on the CPU: this TensorFlow was not built for GPUs"


def test_an_image_with_cuda_that_sees_no_gpu_warns_and_trains_on_the_cpu(caplog: pytest.LogCaptureFixture) -> None:
    assert choose(Seen(0, built_with_cuda=True), require_gpu=False, seconds_an_epoch=unasked) == CPU
    [record] = caplog.records
    assert record.levelname == "WARNING"
    assert "sees no GPU" in record.getMessage()


@pytest.mark.parametrize("built_with_cuda", [True, False])
def test_a_gpu_that_is_required_and_not_there_is_bad_configuration(built_with_cuda: bool) -> None:
    with pytest.raises(BadConfiguration, match="REQUIRE_GPU"):
        choose(Seen(0, built_with_cuda), require_gpu=True, seconds_an_epoch=unasked)


def test_a_required_gpu_trains_whatever_it_takes() -> None:
    assert choose(Seen(1, built_with_cuda=True), require_gpu=True, seconds_an_epoch=unasked) == GPU


@pytest.mark.parametrize(("on_gpu", "on_cpu", "chosen"), [(0.2, 0.5, GPU), (0.5, 0.2, CPU)])
def test_where_there_is_a_choice_the_quicker_device_trains_and_both_figures_are_told(
    on_gpu: float, on_cpu: float, chosen: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert choose(Seen(1, built_with_cuda=True), require_gpu=False, seconds_an_epoch=taking(on_gpu, on_cpu)) == chosen
    expected = f"trains on the {chosen}: an epoch takes {on_gpu:.3f} s on the GPU, {on_cpu:.3f} s on the CPU"
    assert caplog.messages == [expected]


def test_an_epoch_is_measured_on_the_device_that_there_is() -> None:
    assert seconds_an_epoch(CPU, SIZES, "binary", 200, WISHES) > 0


def test_what_is_made_for_a_training_is_made_on_the_chosen_device() -> None:
    import tensorflow as tf  # noqa: PLC0415

    with training_device(SIZES, "binary", 200, WISHES, require_gpu=False) as device:
        made = tf.Variable(1.0)
    assert made.device.endswith(f"{device}:0")

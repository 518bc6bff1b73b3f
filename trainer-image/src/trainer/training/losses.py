"""What a network is fitted to lessen, by task, in TensorFlow: targets [n] and outputs [n, outputs] to losses [n]."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from trainer.tasks.forecast import QUANTILES

Loss = Callable[[Any, Any], Any]


def cross_entropy(targets: Any, outputs: Any) -> Any:
    """Return the cross-entropy of the one logit."""
    return tf.nn.sigmoid_cross_entropy_with_logits(targets, outputs[:, 0])


def pinball(targets: Any, outputs: Any) -> Any:
    """Return the mean over the quantiles of the pinball loss (Koenker and Bassett 1978).

    Outputs are read as `trainer.tasks.forecast.ordered` reads them.
    """
    median = outputs[:, 0]
    widths = tf.exp(tf.clip_by_value(outputs[:, 1:], -10.0, 10.0))
    low, high = median - widths[:, 0], median + widths[:, 1]
    losses = []
    for quantile, level in zip((low, median, high), QUANTILES, strict=True):
        error = targets - quantile
        losses.append(tf.maximum(level * error, (level - 1) * error))
    return tf.add_n(losses) / float(len(losses))


LOSSES: dict[str, Loss] = {"binary": cross_entropy, "forecast": pinball}

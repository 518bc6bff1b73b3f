"""TensorFlow, the network in one `tf.function`."""

from typing import Any

import numpy as np
from measuring import Answer, Weights, main
from numpy.typing import NDArray


def built(weights: Weights) -> Any:
    """Return the Keras model with these weights."""
    import keras  # noqa: PLC0415

    model = keras.Sequential([keras.Input((weights[0][0].shape[0],))])
    for index, (_, bias) in enumerate(weights):
        model.add(keras.layers.Dense(len(bias), activation="relu" if index < len(weights) - 1 else None))
    model.set_weights([array for layer in weights for array in layer])
    return model


def load(weights: Weights, _model: str) -> Answer:
    import tensorflow as tf  # noqa: PLC0415

    model = built(weights)
    signature = [tf.TensorSpec((1, weights[0][0].shape[0]), tf.float32)]
    function = tf.function(lambda row: model(row, training=False), input_signature=signature)

    def answer(row: NDArray[np.float32]) -> float:
        return float(function(tf.constant(row))[0, 0])

    return answer


if __name__ == "__main__":
    main(load)

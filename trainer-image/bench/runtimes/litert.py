"""LiteRT, one thread; the model is converted by TensorFlow in an environment of its own."""

from pathlib import Path

import numpy as np
from measuring import Answer, Weights, main
from numpy.typing import NDArray


def convert(weights: Weights, model: str) -> None:
    import tensorflow as tf  # noqa: PLC0415
    from tensorflow_function import built  # noqa: PLC0415

    Path(model).write_bytes(tf.lite.TFLiteConverter.from_keras_model(built(weights)).convert())


def load(_weights: Weights, model: str) -> Answer:
    from ai_edge_litert.interpreter import Interpreter  # noqa: PLC0415

    interpreter = Interpreter(model_path=model, num_threads=1)
    interpreter.allocate_tensors()
    source, target = interpreter.get_input_details()[0]["index"], interpreter.get_output_details()[0]["index"]

    def answer(row: NDArray[np.float32]) -> float:
        interpreter.set_tensor(source, row)
        interpreter.invoke()
        return float(interpreter.get_tensor(target)[0, 0])

    return answer


if __name__ == "__main__":
    main(load, convert)

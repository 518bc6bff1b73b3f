"""ONNX Runtime, one thread, without its arena; the graph is written by hand."""

import numpy as np
from measuring import Answer, Weights, main
from numpy.typing import NDArray


def convert(weights: Weights, model: str) -> None:
    import onnx  # noqa: PLC0415
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415

    nodes, constants, name = [], [], "x"
    for index, (kernel, bias) in enumerate(weights):
        constants += [numpy_helper.from_array(kernel, f"k{index}"), numpy_helper.from_array(bias, f"b{index}")]
        last = index == len(weights) - 1
        nodes.append(helper.make_node("Gemm", [name, f"k{index}", f"b{index}"], ["y" if last else f"g{index}"]))
        if not last:
            nodes.append(helper.make_node("Relu", [f"g{index}"], [f"r{index}"]))
        name = f"r{index}"
    ends = [
        helper.make_tensor_value_info(end, TensorProto.FLOAT, ["n", width])
        for end, width in (("x", weights[0][0].shape[0]), ("y", 1))
    ]
    graph = helper.make_graph(nodes, "mlp", ends[:1], ends[1:], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), model)


def load(_weights: Weights, model: str) -> Answer:
    import onnxruntime  # noqa: PLC0415

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])

    def answer(row: NDArray[np.float32]) -> float:
        return float(session.run(None, {"x": row})[0][0, 0])

    return answer


if __name__ == "__main__":
    main(load, convert)

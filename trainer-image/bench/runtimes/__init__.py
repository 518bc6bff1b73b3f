"""Which runtime should serve: the same network in TensorFlow, LiteRT, ONNX Runtime and plain numpy, side by side."""

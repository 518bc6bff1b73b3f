"""Benchmarks: they print figures, and fail nothing. `python -m bench.serve` and `python -m bench.runtimes`."""

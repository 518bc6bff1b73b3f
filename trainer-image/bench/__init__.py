"""Benchmarks: they print figures, and fail nothing. `python -m bench.serve` runs one."""

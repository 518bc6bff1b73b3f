"""`backtest`: what a policy's triggers would have done over the past, by the very code that decides in the operator.

`history.py` asks Prometheus for the past, `tracks.py` is what it said at each step, `replay.py` decides step by step, `shown.py` prints.
"""

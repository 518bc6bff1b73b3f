"""`kubectl retrain`: what a policy does and why, and what people may ask of it.

It reads and writes the same objects as everybody, with the caller's own rights; everything it shows is in them. `showing.py`, `telling.py`
and `files.py` hold the commands, `session.py` is the way to the API server, every other module is one thing to show or to ask.
"""

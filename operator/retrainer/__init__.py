"""Retrainer: observe → decide → apply → record → announce.

`reconcile.py` holds the five steps for one policy and is the file to read first. `core/` decides and is pure; `observe.py` and `apply.py`
meet the world through the small protocols in `ports.py`; `adapters/` fulfil them; `handlers.py` is all that kopf sees; `__main__.py` puts
the parts together.
"""

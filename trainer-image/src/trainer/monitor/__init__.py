"""The monitor: the only thing that touches Postgres on the operator's behalf, one per database and namespace.

Each round of `process` reads the policies and runs (`objects`, `cluster`), measures the evidence of the metrics
contract (`totals`, `drift`, `training_table`) for `exposition`, and brings `model_metadata` and `model_ledger` to what
the objects say (`projection` decides, `records` writes).
"""

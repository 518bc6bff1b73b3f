"""The daily report: what each model did, what is unusual about it, and how each retraining went.

`figures` asks the database and `story` reads policies and runs; `anomalies` and `checklist` decide what to say of them,
`charts`, `page` and `digest` say it.
"""

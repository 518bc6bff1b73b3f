"""The prediction server: one version of one model behind HTTP, light enough to run one process a version.

`process` is the order of its life; `settings` says what to serve, `model` holds the verified artifact, `app` answers,
`profiles` knows the members, `prediction_log` writes to Postgres what was answered, `listener` accepts. No request
waits for Postgres, and nothing here imports TensorFlow or pandas.
"""

"""An independent observer: a process of its own that watches a rollout and believes nobody, least of all the operator.

`watching` keeps a copy of the cluster's objects, `reading` turns them into the facts of `world`, `checks` hold the invariants,
`judgement` repeats the analyses with its own queries, `writes` counts traffic writes in the audit log, `observing` puts it together.
"""

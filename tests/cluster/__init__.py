"""Having a Kubernetes cluster: an existing one, kind, or a real one made from parts on this machine.

`python -m tests.cluster --help` is the tool. Programs call `choose.choose`, look at `plan`, and call `up`.
"""

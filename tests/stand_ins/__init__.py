"""Stand-ins: each plays one part of a platform that a test does without, and says in its name which.

`api` and `mirror` are how tests speak to the API server and wait for it; `status_faker` plays the kubelet, `fake_trainer` and `script` what
runs in training pods, `model_server` what runs in a serving pod, `live_figures` Prometheus.
"""

"""A real cluster from parts, on this machine and without a container engine."""

"""Reasons to start a run, one file a kind. Each returns findings: what it saw, and whether that asks for a run."""

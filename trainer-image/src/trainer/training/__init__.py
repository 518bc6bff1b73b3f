"""Trains a version and measures it, and the champion beside it, on rows that neither has been fitted on."""

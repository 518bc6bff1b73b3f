"""All commands on one application."""

from retrainer.cli import files, showing, telling
from retrainer.cli.root import app

__all__ = ["app", "files", "showing", "telling"]

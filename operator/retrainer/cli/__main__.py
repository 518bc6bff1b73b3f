"""Entry point of `kubectl-retrain`, which kubectl finds on the PATH as `kubectl retrain`."""

import sys

from rich.console import Console

from retrainer.cli.app import app
from retrainer.errors import RetrainerError


def main() -> None:
    """Run the command line: exit code 1 with one sentence for what cannot be done, 2 for a command that was not understood."""
    try:
        app()
    except RetrainerError as error:
        Console(stderr=True, soft_wrap=True, highlight=False).print(f"[red]error:[/] {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()

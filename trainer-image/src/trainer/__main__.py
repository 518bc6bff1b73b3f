"""Runs the command line and turns its ends into the exit codes and the termination message of the contract."""

import logging
import signal
import sys
from types import FrameType
from typing import Any

from trainer.errors import BadConfiguration, DataRejected
from trainer.outcome import ExitCode, write_termination_message
from trainer.progress import say, start_logging
from trainer.settings import Settings, read_settings

_LOG = logging.getLogger("trainer")
_USAGE = 2


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    # As the first process of a container, one without a handler would not even notice that it should end.
    signal.signal(signal.SIGTERM, _exit_on_signal)
    try:
        settings = read_settings()
    except BadConfiguration as error:
        start_logging(debug=False)
        _LOG.error("BadConfiguration: %s", error)
        sys.exit(ExitCode.BAD_CONFIGURATION)
    start_logging(debug=settings.debug)
    sys.exit(run(settings))


def run(settings: Settings) -> int:
    """Return the exit code of the command in `sys.argv`; a rejection is written to the termination message."""
    from trainer.cli import app  # noqa: PLC0415 - after logging is there

    try:
        app(standalone_mode=True)
    except SystemExit as end:
        # What click says to an option or argument that cannot be, after it has said which; no retry will help it.
        if end.code != _USAGE:
            return int(end.code or 0)
        _end(settings, BadConfiguration.reason, "the command line cannot be: the log says why", {"warnings": []})
        return ExitCode.BAD_CONFIGURATION
    except DataRejected as error:
        checks = [check.to_dict() for check in error.checks]
        _end(settings, error.reason, error.message, {"warnings": list(error.warnings), "checks": checks})
        return ExitCode.DATA_REJECTED
    except BadConfiguration as error:
        _end(settings, error.reason, str(error), {"warnings": []})
        return ExitCode.BAD_CONFIGURATION
    except Exception as error:  # noqa: BLE001 - the process ends here, with its reason
        _LOG.exception("failed")
        _end(settings, type(error).__name__, str(error), {})
        return ExitCode.FAULT
    return ExitCode.OK


def _exit_on_signal(number: int, _frame: FrameType | None) -> None:
    sys.exit(128 + number)


def _end(settings: Settings, reason: str, message: str, more: dict[str, Any]) -> None:
    _LOG.error("%s: %s", reason, message)
    document = {"reason": reason, "message": message, **more}
    if "--json" in sys.argv[1:] or len(sys.argv) == 1:
        say(message, document, as_json=True)
    write_termination_message(settings.termination_log, document)


if __name__ == "__main__":
    main()

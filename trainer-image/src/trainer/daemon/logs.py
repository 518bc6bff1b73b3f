"""Log lines of what runs for ever: one JSON object a line for whatever collects them, or plain ones on a terminal."""

import logging
import sys
from datetime import UTC, datetime

import orjson
from typing_extensions import override


class JSONFormatter(logging.Formatter):
    """Formats a record as one line of JSON: time (RFC 3339, UTC), level, logger, message, and fields of the process."""

    def __init__(self, **fields: str) -> None:
        super().__init__()
        self._fields = fields

    @override
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **self._fields,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return orjson.dumps(line).decode()


def start_daemon_logging(*, as_json: bool, debug: bool, **fields: str) -> None:
    """Send this process's log lines to standard error, those of libraries from WARNING on.

    A pod's lines are read by machines: they are JSON, with the fields in each. On a terminal they are plain, unless
    `as_json`.
    """
    handler = logging.StreamHandler()
    if as_json or not sys.stderr.isatty():
        handler.setFormatter(JSONFormatter(**fields))
    else:
        handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s", "%H:%M:%S"))
    logging.root.handlers = [handler]
    ours = logging.getLogger("trainer")
    ours.handlers = []
    ours.propagate = True
    ours.setLevel(logging.DEBUG if debug else logging.INFO)

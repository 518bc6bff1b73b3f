"""Log lines as JSON on standard error, one object a line, for whatever collects them."""

import logging
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


def log_as_json(*, debug: bool, **fields: str) -> None:
    """Send this process's log lines to standard error as JSON, those of libraries from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JSONFormatter(**fields))
    logging.root.handlers = [handler]
    ours = logging.getLogger("trainer")
    ours.handlers = []
    ours.propagate = True
    ours.setLevel(logging.DEBUG if debug else logging.INFO)

"""Where the page goes."""

import os
from collections.abc import Mapping
from pathlib import Path

from trainer.report.page import Report, page
from trainer.store import open_store


def publish(report: Report, file: Path | None, environment: Mapping[str, str] = os.environ) -> str | None:
    """Write the page to the file, else beside the versions; return where it is, None if neither place is named.

    Written anew on the same day it takes the place of the earlier one. Raises StoreUnavailable.
    """
    if file is not None:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(page(report), encoding="utf-8")
        return str(file)
    location = environment.get("ARTIFACTS_PATH")
    if not location:
        return None
    period, store = report.figures.period, open_store(location, environment)
    key = f"reports/{period.until.astimezone(period.zone):%Y-%m-%d}.html"
    store.replace(key, page(report).encode())
    return f"{store.location.rstrip('/')}/{key}"

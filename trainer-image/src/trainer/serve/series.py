"""What a forecast is asked of: the past of one series, and what is known of the days or weeks to come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from trainer.serve.request import Refusal
from trainer.windows import LEVEL, Windows

MAX_PERIODS = 800
_FIELDS = ("origin", "history", "ahead")


@dataclass(frozen=True, slots=True)
class Series:
    """Numbers by day or week, oldest first and None for a gap, the last one of `origin`; columns ahead by ISO date.

    A week goes by its first day.
    """

    origin: date
    history: Sequence[float | None]
    ahead: Mapping[str, Mapping[str, Any]]

    def rows(self, windows: Windows) -> list[tuple[date, dict[str, Any]]]:
        """Return each period of the horizon with its row for the model; Refusal 422 where the past is too short."""
        values = np.array([[np.nan if value is None else value for value in self.history]], dtype=np.float64)
        first_day = np.datetime64(self.origin) - (len(self.history) - 1) * windows.period
        derived = windows.derive(values, np.array([len(self.history) - 1]), first_day)
        if np.isnan(derived[LEVEL]).any():
            needed = f"at least {windows.fewest} of the last {windows.level} {windows.noun}"
            raise Refusal(422, "HistoryTooShort", f"{needed} must have a number")
        days = [self.origin + timedelta(days=windows.days * step) for step in range(1, windows.horizon + 1)]
        columns = {name: column[0, 0].tolist() for name, column in derived.items()}
        return [
            (day, {**self.ahead.get(day.isoformat(), {}), **{name: column[step] for name, column in columns.items()}})
            for step, day in enumerate(days)
        ]


def read_series(features: Any) -> dict[str, Any]:
    """Return `origin`, `history` and `ahead` as a body gives them; Refusal 422 for anything else."""
    if not isinstance(features, dict):
        raise _refusal("features must be an object with origin, history and ahead")
    try:
        origin = date.fromisoformat(features["origin"])
    except (KeyError, TypeError, ValueError):
        raise _refusal("features.origin must be the ISO date of the last day or week in history") from None
    history, ahead = features.get("history"), features.get("ahead") or {}
    if not isinstance(history, list) or not 0 < len(history) <= MAX_PERIODS or not all(map(_is_count, history)):
        raise _refusal(f"features.history must be a list of 1 to {MAX_PERIODS} numbers of at least 0, or nulls")
    if not isinstance(ahead, dict) or not all(isinstance(columns, dict) for columns in ahead.values()):
        raise _refusal(
            "features.ahead must be an object of objects: what is known of each day or week, by its ISO date"
        )
    return {"origin": origin, "history": history, "ahead": ahead}


def series_of(features: Mapping[str, Any]) -> Series:
    """Return the series of a body or of the live table."""
    return Series(*(features[name] for name in _FIELDS))


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool) and value >= 0)


def _refusal(message: str) -> Refusal:
    return Refusal(422, "InvalidRequest", message)

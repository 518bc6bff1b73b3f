"""Durations as the contract writes them: one number and one unit."""

import re
from datetime import timedelta

_UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
# A calendar has no room for much more, and no table so many days.
_LONGEST = timedelta(days=36_500)


def duration(value: object) -> timedelta:
    """Return a duration of one number and one unit, such as `30d`; ValueError for anything else.

    None is longer than a hundred years.
    """
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("a duration is one number and one unit of s, m, h, d and w, such as 30d")
    seconds = int(match[1]) * _UNIT_SECONDS[match[2]]
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f"{value} is longer than {_LONGEST.days}d")
    return timedelta(seconds=seconds)

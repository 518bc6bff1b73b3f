"""Cron slots in a time zone, daylight saving included, as Debian's cron has it.

A schedule whose minute or hour field begins with `*` follows the hours as they pass: one that the clock shows twice has its slots
twice, one that it leaves out has none. Any other follows the clock: a slot that is left out comes once the clock has moved on, and of
two the first counts. Where day of month and day of week are both given, either will do, unless one of them begins with `*`.

The one zone that changes by half an hour, Lord Howe, has its first slot by the hour half an hour late on these days.
"""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError


class ScheduleError(ValueError):
    """The fields are no schedule, or the zone is unknown."""


def slots(cron: str, time_zone: str, now: datetime) -> tuple[datetime, datetime]:
    """Return the latest slot at or before `now` and the next one after it, in UTC; raises ScheduleError."""
    local = now.astimezone(_zone(time_zone))
    # While the clock shows an hour again, it shows less than it has shown: slots that have passed seem to be ahead.
    from_ahead = timedelta(days=1) if local.fold else timedelta(seconds=1)
    try:
        past, future = CronSim(cron, local + from_ahead, reverse=True), CronSim(cron, local)
        latest = next(slot for found in past if (slot := found.astimezone(UTC)) <= now)
        upcoming = next(slot for found in future if (slot := found.astimezone(UTC)) > now)
    except CronSimError as error:
        raise ScheduleError(f"{cron!r} is no schedule: {error}") from error
    except (StopIteration, OverflowError):
        raise ScheduleError(f"{cron!r} names a day that does not come") from None
    return latest, upcoming


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # a folder of zones, such as `Europe`, is an OSError
        raise ScheduleError(f"{name!r} is no IANA time zone") from None

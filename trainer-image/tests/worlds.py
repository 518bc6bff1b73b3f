"""Worlds for tests: seeded through the same code as `trainer seed`, without its command line."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from trainer.database import connect
from trainer.seed.parameters import Parameters
from trainer.seed.tables import Summary, stored_parameters, write_world

TODAY = date(2026, 11, 22)


def seed_world(url: str, until: date = TODAY, days: int = 400, **changes: Any) -> Summary:
    """Begin a world of 240 members that ends at `until`, and return what was written."""
    world = Parameters(seed=7, members=240, start=until - timedelta(days=days - 1), until=until)
    with connect(url) as connection:
        return write_world(connection, replace(world, **changes), None)


def continue_world(url: str, **changes: Any) -> Summary:
    """Continue the world that is there, and return what the tables have now."""
    with connect(url) as connection:
        before = stored_parameters(connection)
        assert before is not None
        return write_world(connection, before.continued(changes), before)

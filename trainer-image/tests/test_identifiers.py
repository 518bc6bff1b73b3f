"""Identifiers that sort by time."""

import time
from uuid import RFC_4122

from trainer.identifiers import time_ordered_uuid


def test_they_are_of_version_7_and_none_comes_twice() -> None:
    made = [time_ordered_uuid() for _ in range(10_000)]
    assert {(each.version, each.variant) for each in made} == {(7, RFC_4122)}
    assert len(set(made)) == len(made)


def test_they_begin_with_the_time() -> None:
    before = time.time_ns() // 1_000_000
    made = time_ordered_uuid()
    assert before <= made.int >> 80 <= time.time_ns() // 1_000_000

"""Identifiers of rows."""

import os
import time
from uuid import UUID


def time_ordered_uuid() -> UUID:
    """Return a UUID of version 7 (RFC 9562): 48 bits of milliseconds since 1970, then random ones.

    Rows that are made together have neighbouring keys. Finding some thousands of recent ones among ten million
    by random keys reads as many pages of the index, by these only a few.
    """
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds & (1 << 48) - 1) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    return UUID(int=value & ~(0x3 << 62) | 0x2 << 62)

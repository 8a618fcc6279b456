"""Ids of our own rows: 48 bits of Unix milliseconds, then 80 random bits, as 32 hexadecimal digits.

They sort by time, which keeps index inserts at the end, and cannot be guessed.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import datetime


def new_id(now: datetime, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return a fresh id for a row born at `now`."""
    return f"{int(now.timestamp() * 1000):012x}{random_bytes(10).hex()}"

"""Ids of our own rows: 48 bits of Unix milliseconds, then 80 random bits, as 32 hexadecimal digits.

They sort by time, which keeps index inserts at the end, and cannot be guessed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

_RANDOM_BYTES: Final = 10


def new_id(now: datetime, random_bytes: Callable[[int], bytes] = os.urandom) -> str:
    """Return a fresh id for a row born at `now`."""
    return _written(now, random_bytes(_RANDOM_BYTES).hex())


def first_id(now: datetime) -> str:
    """Return what sorts before every id of a row born at `now` or later, and behind every earlier one."""
    return _written(now, "0" * 2 * _RANDOM_BYTES)


def new_ids(moments: Sequence[datetime], random_bytes: Callable[[int], bytes] = os.urandom) -> list[str]:
    """Return a fresh id for each of many rows, by the moments of their birth, with one call to the system."""
    drawn = random_bytes(_RANDOM_BYTES * len(moments)).hex()
    digits = 2 * _RANDOM_BYTES
    return [_written(at, drawn[digits * place : digits * (place + 1)]) for place, at in enumerate(moments)]


def _written(now: datetime, random_digits: str) -> str:
    return f"{int(now.timestamp() * 1000):012x}{random_digits}"

"""Time comes in as an argument. Nothing else in the product reads a wall clock.

All times are aware UTC datetimes.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Says what time it is."""

    def now(self) -> datetime:
        """Return the current time, aware, UTC."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class FixedClock:
    """A clock that stands still until it is moved; for tests and rehearsals."""

    def __init__(self, start: datetime) -> None:
        self._now = require_aware(start)

    def now(self) -> datetime:
        return self._now

    def advance(self, **delta: float) -> datetime:
        """Move on by `timedelta(**delta)` and return the new time."""
        self._now += timedelta(**delta)
        return self._now


def require_aware(moment: datetime) -> datetime:
    """Return `moment` in UTC; a naive datetime is a defect (`ValueError`)."""
    if moment.tzinfo is None:
        raise ValueError("a naive datetime; all times here are aware UTC")
    return moment.astimezone(UTC)

"""Ticks as cron lines. They are kept by the wall clock, so that workers on several hosts mean the same moments."""

from __future__ import annotations

from typing import Final

_MINUTE_S: Final = 60
# Only divisors make even ticks: `*/25` would mean the seconds 0, 25, 50, and 0 again.
_DIVISORS: Final = (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)


def cron(every_s: float) -> str:
    """Return the line for ticks that are `every_s` apart, or somewhat less where that makes them even.

    As croniter reads it, which has the seconds in a sixth place: at least one second apart, at most an hour.
    """
    if every_s < _MINUTE_S:
        return f"* * * * * */{_even(every_s)}"
    minutes = every_s / _MINUTE_S
    return f"*/{_even(minutes)} * * * *" if minutes < _MINUTE_S else "0 * * * *"


def _even(wanted: float) -> int:
    return max((one for one in _DIVISORS if one <= wanted), default=1)

"""When to look again at something that takes its time: growing intervals, without an end.

Looking never times out into success or failure; whoever polls decides what a long wait means.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class PollPolicy:
    """How the interval grows. Times in seconds; `factor` is at least 1."""

    first_s: float
    factor: float
    max_s: float


def next_look(polls: int, now: datetime, policy: PollPolicy) -> datetime:
    """Return when to look next.

    Args:
        polls: how many looks there were; 0 for something just begun.
    """
    interval = min(policy.first_s, policy.max_s)
    for _ in range(polls):
        # Step by step, since a power of a great number of polls is no finite number.
        if interval >= policy.max_s or policy.factor <= 1:
            break
        interval = min(interval * policy.factor, policy.max_s)
    return now + timedelta(seconds=interval)

"""When a failed call is tried again: exponential back-off with full jitter, or never."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.errors import ConnectorError, Misconfigured, Temporary

# Keeps 2**n a finite number; every real policy has reached `max_s` long before.
_MAX_DOUBLINGS: Final = 64
# The longest wait that another side may impose on us.
LONGEST_ASKED_S: Final = 86_400.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How patient we are. Times in seconds.

    Attributes:
        first_s: upper end of the first wait; doubled with each further failure.
        max_s: upper end of every wait.
        give_up_after: number of calls after which nothing more is tried; None means never.
        misconfigured_s: the fixed wait while an operator has to act.
    """

    first_s: float
    max_s: float
    give_up_after: int | None = None
    misconfigured_s: float = 900.0


def next_try(
    attempt: int, error: ConnectorError, now: datetime, rng: Callable[[], float], policy: RetryPolicy
) -> datetime | None:
    """Return when to call again after a failure; None means give up.

    A misconfiguration never gives up: the work waits until an operator has acted, and nothing is burned. What the
    other side asked for (Retry-After) is the least wait. Everything that is not temporary is final.

    Args:
        attempt: how many calls failed before the one that failed now; 0 for the first.
        rng: a number from 0 to 1, drawn once.
    """
    if isinstance(error, Misconfigured):
        return now + timedelta(seconds=policy.misconfigured_s)
    if not isinstance(error, Temporary):
        return None
    if policy.give_up_after is not None and attempt + 1 >= policy.give_up_after:
        return None
    ceiling = min(policy.max_s, policy.first_s * 2.0 ** min(max(attempt, 0), _MAX_DOUBLINGS))
    # The jitter comes on top of what was asked for: many calls were told the same moment.
    return now + timedelta(seconds=_asked_s(error) + rng() * ceiling)


def _asked_s(error: Temporary) -> float:
    asked = error.retry_after_s
    if asked is None or math.isnan(asked):
        return 0.0
    return min(max(asked, 0.0), LONGEST_ASKED_S)

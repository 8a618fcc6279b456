"""When a failed call is tried again: exponential back-off with full jitter, or never.

Three families (`errors`): what is temporary is tried again, what was refused is not, and what an operator has to mend
waits without using anything up. A request's due date is in view all the while: towards it waits grow shorter, and
nothing is given up in the last days before it, when nobody might see the dead letter in time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from connector.errors import ConnectorError, Misconfigured, RateLimited, Temporary

# Keeps 2**n a finite number; every real policy has reached `max_s` long before.
_MAX_DOUBLINGS: Final = 64
# The longest wait that another side may impose on us.
LONGEST_ASKED_S: Final = 86_400.0
#: So near to its due date nothing is given up. Before that there is time for a person to find out and to act.
PRESSING: Final = timedelta(days=2)
# The part of the time left until the due date that one wait of our own may take.
_SHARE: Final = 0.25


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
    attempt: int,
    error: ConnectorError,
    now: datetime,
    rng: Callable[[], float],
    policy: RetryPolicy,
    *,
    due_at: datetime | None = None,
) -> datetime | None:
    """Return when to call again after a failure; None means give up.

    A misconfiguration and a limit of calls never give up: they are about the other side as a whole, and no failure of
    this one piece of work. What the other side asked for (Retry-After) is the least wait, also beyond the due date:
    `passes` tells that. Everything that is not temporary is final.

    Args:
        attempt: how many calls failed before the one that failed now; 0 for the first.
        rng: a number from 0 to 1, drawn once.
        due_at: by when the request has to be answered, where the work belongs to one.
    """
    if isinstance(error, Misconfigured):
        return now + timedelta(seconds=policy.misconfigured_s)
    if not isinstance(error, Temporary):
        return None
    left_s = (due_at - now).total_seconds() if due_at is not None else 0.0
    if policy.give_up_after is not None and attempt + 1 >= policy.give_up_after:
        pressing = 0 < left_s <= PRESSING.total_seconds()
        if not pressing and not isinstance(error, RateLimited):
            return None
    ceiling = min(policy.max_s, policy.first_s * 2.0 ** min(max(attempt, 0), _MAX_DOUBLINGS))
    if left_s > 0:
        # Several more tries before the due date, and never a hail of them.
        ceiling = min(ceiling, max(policy.first_s, left_s * _SHARE))
    # The jitter comes on top of what was asked for: many calls were told the same moment.
    return now + timedelta(seconds=_asked_s(error) + rng() * ceiling)


def is_counted(error: ConnectorError) -> bool:
    """Say whether a failure brings the work that it met nearer to being given up."""
    return not isinstance(error, (Misconfigured, RateLimited))


def passes(next_at: datetime | None, now: datetime, due_at: datetime) -> bool:
    """Say whether a due date that is still to come will have passed before the next try, or there is none."""
    return now <= due_at and (next_at is None or next_at > due_at)


def _asked_s(error: Temporary) -> float:
    asked = error.retry_after_s
    if asked is None or math.isnan(asked):
        return 0.0
    return min(max(asked, 0.0), LONGEST_ASKED_S)

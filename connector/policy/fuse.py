"""The fuse against a mass deletion: how many values may be handed to Lytics within a time, before a person has to look.

Two limits, and the smaller one counts. The absolute one holds from the first day. The relative one is a multiple of
what is normal: the mean of the last thirty days, as soon as a week of them was seen; a new installation has no normal
that anything could be compared with.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

#: What is normal is the mean of so many days, which end where the window begins.
NORMAL_OVER: Final = timedelta(days=30)
#: So much of that has to have been seen: half a week would compare a Monday with a Sunday.
NORMAL_AFTER: Final = timedelta(days=7)


class FuseRule(StrEnum):
    """Which of the two limits it was."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"


@dataclass(frozen=True, slots=True)
class FusePolicy:
    """When a fuse blows.

    Attributes:
        window: the time over which values are counted.
        most: values within the window, whatever is normal.
        times_normal: as a multiple of what is normal within a window; 0 switches this limit off.
        least: the relative limit is never lower, so that a quiet month does not make a busy day suspicious.
    """

    window: timedelta
    most: int
    times_normal: float
    least: int


@dataclass(frozen=True, slots=True)
class FuseLimit:
    """How many values may be handed over within a window.

    Attributes:
        normal: what is normal within a window, rounded up; None as long as nobody knows.
    """

    most: int
    rule: FuseRule
    normal: int | None


def limit_of(policy: FusePolicy, earlier: int, since: datetime, now: datetime) -> FuseLimit:
    """Return the limit that holds now.

    Args:
        earlier: values handed over in the thirty days before the window.
        since: when counting began.
    """
    seen = min(NORMAL_OVER, now - policy.window - since)
    normal = math.ceil(earlier * (policy.window / seen)) if seen >= NORMAL_AFTER else None
    if normal is None or not policy.times_normal:
        return FuseLimit(policy.most, FuseRule.ABSOLUTE, normal)
    relative = max(policy.least, math.ceil(normal * policy.times_normal))
    if relative < policy.most:
        return FuseLimit(relative, FuseRule.RELATIVE, normal)
    return FuseLimit(policy.most, FuseRule.ABSOLUTE, normal)

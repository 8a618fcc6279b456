"""How much is asked of a platform at a time, and how long it may take."""

from __future__ import annotations

from typing import Final

from connector.lease import Lease
from connector.lytics.pace import Pace, RateLimit
from connector.outbound import Limits

REPORT_CONCURRENCY: Final = 4


def limits_of(timeout_s: float) -> Limits:
    """Return the time limits of a call; the whole of it may take twice as long as its slowest part."""
    return Limits(connect_s=min(timeout_s, 10.0), read_s=timeout_s, total_s=timeout_s * 2)


def pace_of(per_second: float, concurrency: int, lease: Lease) -> Pace:
    """Return what bounds the calls to one system: per second, and at the same time."""
    return Pace(RateLimit(per_second, stop=lease.stop), concurrency, lease=lease)

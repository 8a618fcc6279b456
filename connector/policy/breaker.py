"""When a remote system is left alone because it does not answer: a circuit breaker.

Closed: calls pass, and failures in a row are counted. Open: no call is made until a time; each opening in a row lasts
longer. Half-open, when that time has come: one call passes as a probe. Its success closes the breaker, its failure
opens it again. Nothing here makes a call or knows the time; what is not called waits, and no try of it is counted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from connector.codes import Code
from connector.errors import RateLimited, Temporary

#: A probe that was not heard of for so long died with its thread: another one may pass. Longer than any call can take.
PROBE_LOST_AFTER: Final = timedelta(minutes=30)
# Keeps 2**n a finite number.
_MAX_DOUBLINGS: Final = 32
# What speaks of the other side and not of one call's content. A defect of our own is none of these.
_OUTAGES: Final = frozenset(
    {Code.REMOTE_UNREACHABLE, Code.REMOTE_FAULT, Code.REMOTE_ANSWER_UNREADABLE, Code.REMOTE_RATE_LIMITED}
)


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """When it opens, and for how long. Times in seconds.

    Attributes:
        opens_after: failures in a row, at least 1.
        first_s: how long it is open the first time; doubled with each probe that fails.
        max_s: the longest that it is open at once.
    """

    opens_after: int = 5
    first_s: float = 15.0
    max_s: float = 300.0


@dataclass(frozen=True, slots=True)
class Breaker:
    """One remote system as we know it.

    Attributes:
        failures: in a row, while closed.
        openings: in a row; 0 while closed.
        open_until: None while closed.
        probing_since: when the probe began that is under way.
    """

    failures: int = 0
    openings: int = 0
    open_until: datetime | None = None
    probing_since: datetime | None = None

    @property
    def is_closed(self) -> bool:
        return self.open_until is None


CLOSED: Final = Breaker()


def may_pass(breaker: Breaker, now: datetime, policy: BreakerPolicy) -> bool:
    """Say whether a call may be made; if the breaker is not closed, it is the probe.

    A clock that was set back prolongs nothing beyond the longest time.
    """
    if breaker.open_until is None:
        return True
    if now < breaker.open_until <= now + timedelta(seconds=policy.max_s):
        return False
    probing = breaker.probing_since
    return probing is None or not probing <= now < probing + PROBE_LOST_AFTER


def began(breaker: Breaker, now: datetime) -> Breaker:
    """Return the breaker after a call that may pass has begun."""
    return breaker if breaker.is_closed else replace(breaker, probing_since=now)


def failed(breaker: Breaker, now: datetime, policy: BreakerPolicy, *, probe: bool) -> Breaker:
    """Return the breaker after a call that showed an outage.

    Args:
        probe: whether that call was the probe. Another one that ends while the breaker is open began before it opened,
            and tells nothing new.
    """
    if breaker.is_closed:
        if breaker.failures + 1 < policy.opens_after:
            return replace(breaker, failures=breaker.failures + 1)
    elif not probe:
        return breaker
    pause_s = min(policy.max_s, policy.first_s * 2.0 ** min(breaker.openings, _MAX_DOUBLINGS))
    return Breaker(openings=breaker.openings + 1, open_until=now + timedelta(seconds=pause_s))


def answered() -> Breaker:
    """Return the breaker after any answer of the other side, a refusal included: it is there."""
    return CLOSED


def released(breaker: Breaker) -> Breaker:
    """Return the breaker after a probe that in the end made no call: the next one may be it."""
    return replace(breaker, probing_since=None)


def is_outage(outcome: object) -> bool:
    """Say whether what became of a call speaks of an outage.

    A system that names the time to come again answers; that it be left alone until then is a pause, not an outage.
    """
    if not isinstance(outcome, Temporary) or outcome.code not in _OUTAGES:
        return False
    return not (isinstance(outcome, RateLimited) and outcome.retry_after_s is not None)


def is_about_us(outcome: object) -> bool:
    """Say whether what became of a call is a defect of our own, and so tells nothing about the other side."""
    return isinstance(outcome, Temporary) and outcome.code not in _OUTAGES

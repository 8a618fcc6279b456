"""When an alert is sent: once for each thing that is wrong, again only if it grew, and once more when it is over.

Pure. What is remembered of each (kind, source or account) is a `Standing`, so that neither a restart nor a second
worker repeats or loses a message.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connector.alerting import Kind, Phase, Scope


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is wrong now.

    Attributes:
        count: how many there are, at least 1.
        since: when the first of them began, where that is known.
    """

    kind: Kind
    scope: Scope
    name: str
    count: int
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """What operators were told of it.

    Attributes:
        since: when it began.
        told_at: when the last message about a trouble was made.
        told_count: how many it spoke of, or fewer if some are over since; 0 if all of it is.
    """

    since: datetime
    told_at: datetime
    told_count: int


@dataclass(frozen=True, slots=True)
class Verdict:
    """What follows: the new standing (None: nothing to remember), and the message to send, if there is one."""

    standing: Standing | None
    phase: Phase | None = None
    count: int = 0
    since: datetime | None = None


def judge(fact: Fact | None, before: Standing | None, now: datetime, interval: timedelta) -> Verdict:
    """Decide about one kind of trouble of one source or account.

    Args:
        fact: how it is now; None if nothing is wrong.
        before: what was told of it; None if nothing was lately.
        interval: the shortest time between two messages of trouble about it.
    """
    # A clock that was put back must not silence it for long.
    may_tell = before is None or abs(now - before.told_at) >= interval
    if fact is None:
        return _without(before, may_tell=may_tell)
    if before is None or not before.told_count:
        if before is not None and not may_tell:
            return Verdict(before)
        since = fact.since or now
        return Verdict(Standing(since, now, fact.count), Phase.FIRING, fact.count, since)
    if fact.count > before.told_count and may_tell:
        return Verdict(Standing(before.since, now, fact.count), Phase.FIRING, fact.count, before.since)
    # Fewer than were told of: one more than these is news again.
    return Verdict(replace(before, told_count=min(before.told_count, fact.count)))


def _without(before: Standing | None, *, may_tell: bool) -> Verdict:
    if before is not None and before.told_count:
        return Verdict(replace(before, told_count=0), Phase.RESOLVED, before.told_count, before.since)
    # Remembered as long as it keeps a new message from being sent.
    return Verdict(None if may_tell else before)

"""When operators are told: once, again only if it grew, and when it is over."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.alerting import Kind, Phase, Scope
from connector.policy.alerts import Fact, Standing, judge

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
EARLIER = NOW - timedelta(days=1)
FIRING, RESOLVED = Phase.FIRING, Phase.RESOLVED


def fact(count: int) -> Fact | None:
    return Fact(Kind.HELD, Scope.SOURCE, "onetrust", count) if count else None


def told(minutes_ago: float, count: int) -> Standing:
    return Standing(EARLIER, NOW - timedelta(minutes=minutes_ago), count)


@pytest.mark.parametrize(
    ("count", "before", "phase", "spoken_of", "left"),
    [
        (0, None, None, 0, None),
        (3, None, FIRING, 3, 3),
        # The same is not said again, however long it lasts.
        (3, told(1, 3), None, 0, 3),
        (3, told(10_000, 3), None, 0, 3),
        # What grew is, once the interval is over.
        (4, told(59, 3), None, 0, 3),
        (4, told(60, 3), FIRING, 4, 4),
        # Fewer than were told of: one more than that is new.
        (1, told(1, 3), None, 0, 1),
        (2, told(61, 1), FIRING, 2, 2),
        # It is over, which is said at once and only once.
        (0, told(1, 3), RESOLVED, 3, 0),
        (0, told(1, 0), None, 0, 0),
        (0, told(61, 0), None, 0, None),
        # It came back: not before the interval is over.
        (2, told(59, 0), None, 0, 0),
        (2, told(60, 0), FIRING, 2, 2),
        # A clock that was put back does not silence it for ever.
        (4, told(-61, 3), FIRING, 4, 4),
    ],
)
def test_what_follows(
    count: int, before: Standing | None, phase: Phase | None, spoken_of: int, left: int | None
) -> None:
    said = judge(fact(count), before, NOW, HOUR)
    assert (said.phase, said.count) == (phase, spoken_of)
    assert (said.standing.told_count if said.standing else None) == left


def test_it_begins_when_it_is_known_to_have_begun_and_keeps_that() -> None:
    first = judge(Fact(Kind.FUSE_BLOWN, Scope.ACCOUNT, "main", 1, EARLIER), None, NOW, HOUR)
    assert first.standing == Standing(EARLIER, NOW, 1)
    assert first.since == EARLIER
    grown = judge(fact(5), told(61, 1), NOW, HOUR)
    assert grown.since == EARLIER
    assert judge(None, told(1, 1), NOW, HOUR).since == EARLIER


def test_what_came_back_begins_anew() -> None:
    again = judge(fact(1), told(61, 0), NOW, HOUR)
    assert again.standing == Standing(NOW, NOW, 1)

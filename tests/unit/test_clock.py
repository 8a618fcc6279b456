"""Time is aware and UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from connector.clock import FixedClock, SystemClock, require_aware

MOMENT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def test_the_system_clock_is_aware_and_in_utc() -> None:
    before, told, after = datetime.now(UTC), SystemClock().now(), datetime.now(UTC)
    assert before <= told <= after
    assert told.utcoffset() == timedelta()


def test_a_fixed_clock_stands_still_until_it_is_moved() -> None:
    clock = FixedClock(MOMENT)
    assert clock.now() == clock.now() == MOMENT
    assert clock.advance(hours=1, seconds=1) == clock.now() == MOMENT + timedelta(seconds=3601)
    assert clock.advance(days=-1) < MOMENT


def test_a_time_elsewhere_becomes_utc() -> None:
    there = datetime(2026, 11, 2, 10, 0, tzinfo=timezone(timedelta(hours=1)))
    assert require_aware(there) == MOMENT
    assert require_aware(there).tzinfo is UTC
    assert FixedClock(there).now().tzinfo is UTC


def test_a_naive_time_is_a_defect() -> None:
    with pytest.raises(ValueError, match="naive"):
        require_aware(datetime(2026, 11, 2, 9, 0))  # noqa: DTZ001 - the defect
    with pytest.raises(ValueError, match="naive"):
        FixedClock(datetime(2026, 11, 2, 9, 0))  # noqa: DTZ001 - the defect

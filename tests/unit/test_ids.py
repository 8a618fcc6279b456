"""Ids of rows: sorted by time, of one shape, not to be guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from connector.ids import new_id, new_ids

MOMENT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)


def test_an_id_is_its_time_and_ten_random_bytes() -> None:
    made = new_id(MOMENT, lambda size: bytes(range(size)))
    assert made == f"{int(MOMENT.timestamp() * 1000):012x}00010203040506070809"
    assert int(made[:12], 16) == MOMENT.timestamp() * 1000


def test_ids_have_one_shape_from_the_first_day_to_the_last() -> None:
    for moment in (datetime(1970, 1, 1, tzinfo=UTC), MOMENT, datetime(9999, 12, 31, tzinfo=UTC)):
        assert re.fullmatch("[0-9a-f]{32}", new_id(moment))


def test_ids_sort_by_time() -> None:
    made = [new_id(MOMENT + timedelta(milliseconds=place)) for place in range(50)]
    assert made == sorted(made)


def test_ids_of_one_moment_differ() -> None:
    assert len({new_id(MOMENT) for _ in range(1000)}) == 1000


def test_many_ids_are_drawn_at_once_and_each_has_its_own_time_and_its_own_bytes() -> None:
    later = MOMENT + timedelta(seconds=1)
    made = new_ids([MOMENT, later], lambda size: bytes(range(size)))
    assert made == [
        new_id(MOMENT, lambda _size: bytes(range(10))),
        new_id(later, lambda _size: bytes(range(10, 20))),
    ]
    assert len(set(new_ids([MOMENT] * 1000))) == 1000
    assert new_ids([]) == []

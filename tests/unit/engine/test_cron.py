"""Ticks as cron lines, held against the library that reads them."""

from __future__ import annotations

from itertools import pairwise

import pytest
from croniter import croniter

from connector.engine.cron import cron

MIDNIGHT = 1_793_577_600.0


@pytest.mark.parametrize(
    ("wanted_s", "apart_s"),
    [
        (0.1, 1),
        (1, 1),
        (5, 5),
        (7, 6),
        (25, 20),
        (45, 30),
        (60, 60),
        (300, 300),
        (420, 360),
        (3600, 3600),
        (9000, 3600),
    ],
)
def test_ticks_are_even_over_a_day_and_never_further_apart_than_wanted_unless_a_bound_says_so(
    wanted_s: float, apart_s: int
) -> None:
    ticks = croniter(cron(wanted_s), MIDNIGHT)
    moments = [ticks.get_next(float) for _ in range(int(86_400 / apart_s) + 1)]
    assert {round(after - before) for before, after in pairwise(moments)} == {apart_s}

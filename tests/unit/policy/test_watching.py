"""When somebody is looked for, until when, and what follows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.policy.watching import GRACE, Reaction, WatchRule, try_again

BEGAN = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("passed", "then"), [(0, 1), (0.5, 1), (1, 7), (6.9, 7), (7, 30), (29, 30), (30, 90), (90, None), (91, None)]
)
def test_the_next_look_is_the_first_that_is_not_past(passed: float, then: float | None) -> None:
    found = WatchRule().next_look(BEGAN, BEGAN + timedelta(days=passed))
    assert found == (None if then is None else BEGAN + timedelta(days=then))


def test_the_value_goes_soon_after_the_last_look() -> None:
    assert WatchRule(looks=(timedelta(days=2),)).ends_at(BEGAN) == BEGAN + timedelta(days=2) + GRACE


def test_a_value_is_deleted_again_so_often_and_then_only_said() -> None:
    rule = WatchRule(Reaction.DELETE, most_again=2)
    assert [rule.reacts(again) for again in range(3)] == [Reaction.DELETE, Reaction.DELETE, Reaction.ALARM]
    assert WatchRule(Reaction.ALARM).reacts(0) is Reaction.ALARM


def test_a_look_that_told_nothing_is_made_again_ever_later_but_within_a_day() -> None:
    waits = [try_again(failures, BEGAN) - BEGAN for failures in (0, 1, 2, 50)]
    assert waits == [timedelta(minutes=10), timedelta(minutes=20), timedelta(minutes=40), timedelta(days=1)]

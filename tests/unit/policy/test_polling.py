from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.policy.polling import PollPolicy, next_look

NOW = datetime(2026, 3, 5, 10, tzinfo=UTC)
POLICY = PollPolicy(first_s=30, factor=1.5, max_s=100)


def interval_s(polls: int, policy: PollPolicy = POLICY) -> float:
    return (next_look(polls, NOW, policy) - NOW).total_seconds()


def test_intervals_grow_up_to_their_limit() -> None:
    assert [interval_s(polls) for polls in range(6)] == [30, 45, 67.5, 100, 100, 100]


def test_looking_never_ends() -> None:
    assert interval_s(10**12) == 100


@pytest.mark.parametrize("polls", [0, 1, 10**12])
def test_a_factor_of_one_keeps_the_interval(polls: int) -> None:
    assert interval_s(polls, PollPolicy(first_s=30, factor=1, max_s=100)) == 30


def test_the_first_interval_obeys_the_limit() -> None:
    assert interval_s(0, PollPolicy(first_s=200, factor=2, max_s=100)) == 100

"""The circuit breaker: closed, open for growing pauses, half-open for one probe at a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, NotFound, RateLimited, Refused, Temporary
from connector.model import Presence
from connector.policy.breaker import (
    CLOSED,
    PROBE_LOST_AFTER,
    Breaker,
    BreakerPolicy,
    answered,
    began,
    failed,
    is_about_us,
    is_outage,
    may_pass,
    released,
)

NOW = datetime(2026, 3, 5, 10, tzinfo=UTC)
POLICY = BreakerPolicy(opens_after=3, first_s=10, max_s=60)


def at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def opened(times: int = 1, policy: BreakerPolicy = POLICY) -> Breaker:
    """Return a breaker that has just opened at NOW, for so many times in a row."""
    breaker = CLOSED
    for _ in range(policy.opens_after):
        breaker = failed(breaker, NOW, policy, probe=False)
    for _ in range(times - 1):
        breaker = failed(breaker, NOW, policy, probe=True)
    return breaker


class TestClosed:
    def test_calls_pass(self) -> None:
        assert may_pass(CLOSED, NOW, POLICY)
        assert began(CLOSED, NOW) == CLOSED

    def test_it_opens_with_the_last_of_so_many_failures_in_a_row(self) -> None:
        breaker = CLOSED
        for number in (1, 2):
            breaker = failed(breaker, NOW, POLICY, probe=False)
            assert (breaker.is_closed, breaker.failures) == (True, number)
        breaker = failed(breaker, NOW, POLICY, probe=False)
        assert (breaker.is_closed, breaker.open_until) == (False, at(10))

    def test_any_answer_in_between_starts_the_count_again(self) -> None:
        breaker = failed(failed(CLOSED, NOW, POLICY, probe=False), NOW, POLICY, probe=False)
        assert answered() == CLOSED
        breaker = answered()
        breaker = failed(failed(breaker, NOW, POLICY, probe=False), NOW, POLICY, probe=False)
        assert breaker.is_closed


class TestOpen:
    @pytest.mark.parametrize(("after_s", "passes"), [(0, False), (9.9, False), (10, True), (500, True)])
    def test_nothing_passes_until_its_time_has_come(self, after_s: float, passes: bool) -> None:
        assert may_pass(opened(), at(after_s), POLICY) is passes

    @pytest.mark.parametrize(("times", "pause_s"), [(1, 10), (2, 20), (3, 40), (4, 60), (5, 60), (40, 60)], ids=str)
    def test_the_pause_grows_with_each_probe_that_fails_up_to_its_limit(self, times: int, pause_s: float) -> None:
        assert opened(times).open_until == at(pause_s)

    def test_an_outage_of_years_is_no_problem(self) -> None:
        assert failed(Breaker(openings=100_000, open_until=NOW), NOW, POLICY, probe=True).open_until == at(60)

    def test_a_failure_of_a_call_from_before_tells_nothing_new(self) -> None:
        assert failed(opened(), at(5), POLICY, probe=False) == opened()

    def test_an_answer_to_a_call_from_before_closes_it(self) -> None:
        assert answered() == CLOSED

    def test_a_clock_that_was_set_back_does_not_keep_it_open(self) -> None:
        assert may_pass(opened(), at(-86_400), POLICY)


class TestHalfOpen:
    def test_one_probe_passes_and_no_second_one(self) -> None:
        probing = began(opened(), at(10))
        assert not may_pass(probing, at(10), POLICY)
        assert not may_pass(probing, at(300), POLICY)

    def test_a_probe_that_fails_opens_it_for_longer_from_then_on(self) -> None:
        breaker = failed(began(opened(), at(10)), at(12), POLICY, probe=True)
        assert breaker == Breaker(openings=2, open_until=at(32))

    def test_after_a_probe_that_was_answered_the_next_outage_begins_with_the_short_pause(self) -> None:
        breaker = answered()
        for _ in range(3):
            breaker = failed(breaker, at(100), POLICY, probe=False)
        assert breaker.open_until == at(110)

    def test_a_probe_that_made_no_call_leaves_its_turn_to_the_next(self) -> None:
        assert may_pass(released(began(opened(), at(10))), at(10), POLICY)

    def test_a_probe_that_was_never_heard_of_again_does_not_close_the_way_for_ever(self) -> None:
        probing = began(opened(), at(10))
        assert not may_pass(probing, at(9) + PROBE_LOST_AFTER, POLICY)
        assert may_pass(probing, at(10) + PROBE_LOST_AFTER, POLICY)

    def test_nor_does_a_probe_that_began_in_a_future_that_was_taken_back(self) -> None:
        assert may_pass(began(opened(), at(10)), at(-500), POLICY)


@pytest.mark.parametrize(
    ("outcome", "outage", "about_us"),
    [
        (Temporary(Code.REMOTE_UNREACHABLE), True, False),
        (Temporary(Code.REMOTE_FAULT, outcome_unknown=True), True, False),
        (Temporary(Code.REMOTE_ANSWER_UNREADABLE), True, False),
        (RateLimited(Code.REMOTE_RATE_LIMITED), True, False),
        # Whoever says when to come again is there; the pause is kept elsewhere.
        (RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=60), False, False),
        (RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=0), False, False),
        # A defect of ours tells nothing about the other side, neither good nor bad.
        (Temporary(Code.INTERNAL_ERROR), False, True),
        (Temporary(Code.STORE_UNAVAILABLE), False, True),
        (Refused(Code.REMOTE_REFUSED), False, False),
        (NotFound(Code.REMOTE_NOT_FOUND), False, False),
        (Misconfigured(Code.TOKEN_REFUSED), False, False),
        (Presence.ABSENT, False, False),
    ],
)
def test_what_counts_as_an_outage(outcome: object, outage: bool, about_us: bool) -> None:
    assert (is_outage(outcome), is_about_us(outcome)) == (outage, about_us)

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.codes import Code
from connector.errors import (
    ConnectorError,
    IllegalMove,
    Misconfigured,
    NotFound,
    RateLimited,
    Refused,
    Rejected,
    Temporary,
)
from connector.policy.retry import LONGEST_ASKED_S, PRESSING, RetryPolicy, is_counted, next_try, passes

NOW = datetime(2026, 3, 5, 10, tzinfo=UTC)
POLICY = RetryPolicy(first_s=10, max_s=300, misconfigured_s=900)
FAULT = Temporary(Code.REMOTE_FAULT)


def drawn(number: float) -> Callable[[], float]:
    return lambda: number


def wait_s(
    attempt: int, error: ConnectorError = FAULT, draw: float = 1.0, policy: RetryPolicy = POLICY
) -> float | None:
    at = next_try(attempt, error, NOW, drawn(draw), policy)
    return None if at is None else (at - NOW).total_seconds()


@pytest.mark.parametrize(("attempt", "longest"), [(0, 10), (1, 20), (2, 40), (4, 160), (5, 300), (6, 300), (5000, 300)])
def test_the_longest_wait_doubles_up_to_its_limit(attempt: int, longest: float) -> None:
    assert wait_s(attempt) == longest


@pytest.mark.parametrize(("draw", "wait"), [(0.0, 0.0), (0.25, 10.0), (0.5, 20.0)])
def test_the_jitter_covers_the_whole_wait(draw: float, wait: float) -> None:
    assert wait_s(2, draw=draw) == wait


def test_a_seeded_run_of_waits_stays_within_its_limits() -> None:
    rng = random.Random(7).random
    waits = [next_try(attempt, FAULT, NOW, rng, POLICY) for attempt in range(200)]
    assert all(at is not None and 0 <= (at - NOW).total_seconds() <= 300 for at in waits)
    assert len(set(waits)) > 150


@pytest.mark.parametrize("kind", [Temporary, RateLimited])
@pytest.mark.parametrize("draw", [0.0, 0.5, 1.0])
def test_what_the_other_side_asked_for_is_the_least_wait(kind: type[Temporary], draw: float) -> None:
    error = kind(Code.REMOTE_RATE_LIMITED, retry_after_s=60)
    assert wait_s(0, error, draw) == 60 + draw * 10


@pytest.mark.parametrize(
    ("asked", "wait"),
    [(-5.0, 0.0), (0.0, 0.0), (float("nan"), 0.0), (float("inf"), LONGEST_ASKED_S), (1e300, LONGEST_ASKED_S)],
)
def test_a_senseless_request_to_wait_does_no_harm(asked: float, wait: float) -> None:
    assert wait_s(0, RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=asked), 0.0) == wait


@pytest.mark.parametrize(
    "error",
    [
        Refused(Code.REMOTE_REFUSED),
        NotFound(Code.REMOTE_NOT_FOUND),
        Rejected(Code.FIELD_INVALID),
        IllegalMove("RequestState", "completed", "received"),
    ],
)
def test_a_final_answer_is_not_tried_again(error: ConnectorError) -> None:
    assert wait_s(0, error) is None


def test_trying_ends_after_the_given_number_of_calls() -> None:
    policy = replace(POLICY, give_up_after=3)
    assert [wait_s(attempt, policy=policy) for attempt in range(5)] == [10, 20, None, None, None]


def test_without_a_limit_trying_never_ends() -> None:
    assert wait_s(1_000_000) == 300


@pytest.mark.parametrize("attempt", [0, 2, 3, 500])
def test_a_misconfiguration_waits_and_never_gives_up(attempt: int) -> None:
    policy = replace(POLICY, give_up_after=3)
    assert wait_s(attempt, Misconfigured(Code.TOKEN_REFUSED), 0.3, policy) == 900


def test_a_limit_of_calls_is_no_failure_of_the_work_and_never_gives_up() -> None:
    policy = replace(POLICY, give_up_after=3)
    error = RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=60)
    assert [wait_s(attempt, error, 0.0, policy) for attempt in (0, 3, 500)] == [60, 60, 60]


@pytest.mark.parametrize(
    ("error", "counted"),
    [
        (FAULT, True),
        (Refused(Code.REMOTE_REFUSED), True),
        (NotFound(Code.REMOTE_NOT_FOUND), True),
        (RateLimited(Code.REMOTE_RATE_LIMITED), False),
        (Misconfigured(Code.TOKEN_REFUSED), False),
    ],
)
def test_only_a_failure_of_the_work_itself_brings_it_nearer_to_its_end(error: ConnectorError, counted: bool) -> None:
    assert is_counted(error) is counted


class TestDueDate:
    """A request's due date is in view: it never passes because a wait was too long, or work was given up unseen."""

    @pytest.mark.parametrize(
        ("left", "longest"),
        [
            (timedelta(days=30), 300),
            (timedelta(seconds=1200), 300),
            (timedelta(seconds=1000), 250),
            (timedelta(seconds=100), 25),
            (timedelta(seconds=40), 10),
            (timedelta(seconds=1), 10),
            (timedelta(0), 300),
            (timedelta(days=-1), 300),
        ],
    )
    def test_waits_grow_shorter_towards_it_and_never_become_a_hail(self, left: timedelta, longest: float) -> None:
        at = next_try(9, FAULT, NOW, drawn(1.0), POLICY, due_at=NOW + left)
        assert at == NOW + timedelta(seconds=longest)

    def test_it_makes_no_wait_longer(self) -> None:
        for attempt in range(12):
            at = next_try(attempt, FAULT, NOW, drawn(1.0), POLICY, due_at=NOW + timedelta(days=1))
            assert at == next_try(attempt, FAULT, NOW, drawn(1.0), POLICY)

    def test_several_tries_fit_before_it_whatever_is_drawn(self) -> None:
        due_at = NOW + timedelta(hours=1)
        patient = replace(POLICY, max_s=86_400)
        now, tries = NOW, 0
        while now < due_at and tries < 1000:
            tries += 1
            at = next_try(20, FAULT, now, drawn(1.0), patient, due_at=due_at)
            assert at is not None
            now = at
        assert 15 < tries < 60

    def test_what_the_other_side_asked_for_is_kept_beyond_it_and_said(self) -> None:
        due_at = NOW + timedelta(minutes=10)
        error = RateLimited(Code.REMOTE_RATE_LIMITED, retry_after_s=2135)
        at = next_try(0, error, NOW, drawn(0.0), POLICY, due_at=due_at)
        assert at == NOW + timedelta(seconds=2135)
        assert passes(at, NOW, due_at)

    @pytest.mark.parametrize(
        ("left", "gives_up"),
        [
            (timedelta(days=30), True),
            (PRESSING + timedelta(seconds=1), True),
            (PRESSING, False),
            (timedelta(seconds=1), False),
            (timedelta(0), True),
            (timedelta(days=-3), True),
        ],
    )
    def test_nothing_is_given_up_in_the_last_days_before_it(self, left: timedelta, gives_up: bool) -> None:
        policy = replace(POLICY, give_up_after=3)
        at = next_try(50, FAULT, NOW, drawn(1.0), policy, due_at=NOW + left)
        assert (at is None) is gives_up

    def test_a_final_no_is_final_also_before_it(self) -> None:
        error = Refused(Code.REMOTE_REFUSED)
        assert next_try(0, error, NOW, drawn(1.0), POLICY, due_at=NOW + timedelta(hours=1)) is None

    def test_what_an_operator_has_to_mend_waits_as_ever(self) -> None:
        error = Misconfigured(Code.TOKEN_REFUSED)
        at = next_try(0, error, NOW, drawn(1.0), POLICY, due_at=NOW + timedelta(minutes=1))
        assert at == NOW + timedelta(seconds=900)

    @pytest.mark.parametrize(
        ("next_in_s", "due_in_s", "said"),
        [(10, 10, False), (11, 10, True), (None, 10, True), (None, 0, True), (11, -1, False), (None, -1, False)],
    )
    def test_that_it_will_pass_is_told_once_it_is_certain_and_no_longer_afterwards(
        self, next_in_s: float | None, due_in_s: float, said: bool
    ) -> None:
        next_at = None if next_in_s is None else NOW + timedelta(seconds=next_in_s)
        assert passes(next_at, NOW, NOW + timedelta(seconds=due_in_s)) is said

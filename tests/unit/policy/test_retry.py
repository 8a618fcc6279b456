from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

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
from connector.policy.retry import LONGEST_ASKED_S, RetryPolicy, next_try

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

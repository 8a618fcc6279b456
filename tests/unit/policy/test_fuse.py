from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.policy.fuse import FusePolicy, FuseRule, limit_of

NOW = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
POLICY = FusePolicy(window=DAY, most=5000, times_normal=10, least=500)
LONG_AGO = NOW - timedelta(days=400)


def test_a_new_installation_has_no_normal_and_only_the_absolute_limit() -> None:
    limit = limit_of(POLICY, 1_000_000, NOW - timedelta(days=8) + timedelta(seconds=1), NOW)
    assert (limit.most, limit.rule, limit.normal) == (5000, FuseRule.ABSOLUTE, None)


def test_after_a_week_before_the_window_the_normal_is_the_mean_of_what_was_seen() -> None:
    limit = limit_of(POLICY, 700, NOW - timedelta(days=8), NOW)
    assert (limit.most, limit.rule, limit.normal) == (1000, FuseRule.RELATIVE, 100)


@pytest.mark.parametrize(
    ("earlier", "most", "rule", "normal"),
    [
        (0, 500, FuseRule.RELATIVE, 0),
        (30 * 50, 500, FuseRule.RELATIVE, 50),
        (30 * 50 + 1, 510, FuseRule.RELATIVE, 51),
        (30 * 499, 4990, FuseRule.RELATIVE, 499),
        (30 * 500, 5000, FuseRule.ABSOLUTE, 500),
        (30 * 9000, 5000, FuseRule.ABSOLUTE, 9000),
    ],
)
def test_the_smaller_of_the_two_limits_counts(earlier: int, most: int, rule: FuseRule, normal: int) -> None:
    limit = limit_of(POLICY, earlier, LONG_AGO, NOW)
    assert (limit.most, limit.rule, limit.normal) == (most, rule, normal)


def test_what_is_normal_is_said_of_the_window_and_not_of_a_day() -> None:
    policy = FusePolicy(window=timedelta(hours=6), most=5000, times_normal=10, least=1)
    assert limit_of(policy, 30 * 4 * 25, LONG_AGO, NOW).normal == 25


def test_the_relative_limit_can_be_switched_off() -> None:
    policy = FusePolicy(window=DAY, most=5000, times_normal=0, least=500)
    assert limit_of(policy, 30, LONG_AGO, NOW).rule is FuseRule.ABSOLUTE


def test_a_clock_that_was_put_back_leaves_the_absolute_limit() -> None:
    assert limit_of(POLICY, 30, NOW + timedelta(days=90), NOW).rule is FuseRule.ABSOLUTE

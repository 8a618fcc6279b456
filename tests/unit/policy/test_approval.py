"""When somebody has to approve, and how much of a value is shown to whoever does."""

from __future__ import annotations

import pytest

from connector.policy.approval import Approval, ApprovalMode, Approvals, Needed
from connector.policy.masking import masked
from connector.private import Private

M = ApprovalMode


@pytest.mark.parametrize(
    ("rule", "ever_accepted", "waiting", "needed"),
    [
        (Approval(), False, 9_999, False),
        (Approval(M.ALWAYS), True, 0, True),
        (Approval(M.FIRST_RUN), False, 1, True),
        (Approval(M.FIRST_RUN), True, 9_999, False),
        (Approval(M.ABOVE, 10), True, 10, False),
        (Approval(M.ABOVE, 10), True, 11, True),
        (Approval(M.ABOVE, 0), True, 0, True),
    ],
)
def test_each_mode_asks_for_a_person_when_it_says(
    rule: Approval, *, ever_accepted: bool, waiting: int, needed: bool
) -> None:
    assert rule.is_needed(ever_accepted=ever_accepted, waiting=waiting) is needed


def test_what_comes_between_counting_and_reading_does_not_slip_through() -> None:
    assert Approval(M.ABOVE, 10).most(1_000) == 10
    assert Approval(M.ALWAYS).most(1_000) == 1_000


def test_in_an_account_no_more_is_read_than_the_strictest_rule_lets_pass() -> None:
    sources = {"one": Approval(M.ABOVE, 30), "two": Approval(M.ABOVE, 20), "three": Approval(M.ALWAYS)}
    assert Approvals(sources=sources).most(1_000) == 20
    assert Approvals(Approval(M.ABOVE, 10), sources).most(1_000) == 10
    assert Approvals().most(1_000) == 1_000


def test_something_is_needed_where_it_is_of_the_account_or_of_a_source() -> None:
    assert not Needed()
    assert Needed(everything=True)
    assert Needed(sources=frozenset({"one"}))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("ana.meyer@example.com", "a***@e***.com"),
        ("a@localhost", "a***@l***"),
        ("00481516", "***16"),
        ("+4917012345", "***45"),
        ("12345", "***"),
        ("@x", "***"),
        ("", "***"),
    ],
)
def test_a_masked_value_tells_one_from_another_and_nobody_s_name(value: str, shown: str) -> None:
    assert masked(Private(value)) == shown

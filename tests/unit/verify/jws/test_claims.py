"""What a token has to say: issuer, audience, times and further claims (RFC 7519 section 4.1)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from connector.codes import Code
from connector.errors import Misconfigured, Rejected
from connector.verify.token.claims import ClaimRules
from tests.unit.verify.jws.checks import AT, NOW

STEP = timedelta(microseconds=1)


def code(rules: ClaimRules, claims: dict[str, Any], now: datetime = NOW) -> Code | None:
    try:
        rules.judge(claims, now)
    except Rejected as error:
        return error.code
    return None


def test_an_issuer_has_to_be_one_of_those_allowed() -> None:
    rules = ClaimRules(issuers=("a.example.com", "b.example.com"), expires=False)
    assert code(rules, {"iss": "b.example.com"}) is None
    for other in ("", "B.example.com", "a.example.com ", None, 1, ["a.example.com"], {"a.example.com": 1}):
        assert code(rules, {"iss": other}) is Code.CLAIM_WRONG
    assert code(rules, {}) is Code.CLAIM_WRONG


def test_an_audience_may_be_one_text_or_a_list_that_holds_ours() -> None:
    rules = ClaimRules(audiences=("us", "us-old"), expires=False)
    for good in ("us", "us-old", ["them", "us"], ["us"]):
        assert code(rules, {"aud": good}) is None
    for bad in ("them", "us ", [], ["them"], [["us"]], None, 1, {"us": 1}, "us,them"):
        assert code(rules, {"aud": bad}) is Code.CLAIM_WRONG
    assert code(rules, {}) is Code.CLAIM_WRONG


def test_a_token_for_somebody_else_is_refused_where_no_audience_is_ours() -> None:
    """RFC 7519 section 4.1.3: a receiver that does not find itself in `aud` has to reject."""
    assert code(ClaimRules(expires=False), {"aud": "them"}) is Code.CLAIM_WRONG
    assert code(ClaimRules(expires=False), {"aud": []}) is Code.CLAIM_WRONG
    assert code(ClaimRules(expires=False), {}) is None


@pytest.mark.parametrize(
    ("wanted", "told"),
    [(1, True), (True, 1), (1, 1.0), (0, False), ("1", 1), (None, ""), ([1, 2], [2, 1]), ({"a": 1}, {"a": 1, "b": 2})],
)
def test_a_claim_is_compared_as_a_json_value(wanted: Any, told: Any) -> None:
    rules = ClaimRules(exact={"role": wanted}, expires=False)
    assert code(rules, {"role": wanted}) is None
    assert code(rules, {"role": told}) is Code.CLAIM_WRONG
    assert code(rules, {}) is Code.CLAIM_WRONG


def test_the_order_of_members_in_a_claim_does_not_matter() -> None:
    assert code(ClaimRules(exact={"act": {"a": 1, "b": [2]}}, expires=False), {"act": {"b": [2], "a": 1}}) is None


def test_a_required_claim_may_hold_anything_but_has_to_be_there() -> None:
    rules = ClaimRules(required=("sub",), expires=False)
    for value in ("x", None, {"identifierType": "email"}, []):
        assert code(rules, {"sub": value}) is None
    assert code(rules, {"Sub": "x"}) is Code.CLAIM_WRONG


def test_expiry_counts_with_its_leeway_and_the_moment_itself_is_too_late() -> None:
    rules = ClaimRules(leeway_s=60)
    last = NOW + timedelta(seconds=60) - STEP
    assert rules.judge({"exp": AT}, last).until == last
    assert code(rules, {"exp": AT}, last + STEP) is Code.TIMESTAMP_TOO_OLD
    assert code(rules, {}) is Code.TIMESTAMP_MISSING
    assert code(ClaimRules(expires=False), {"exp": AT - 61}) is Code.TIMESTAMP_TOO_OLD


def test_a_token_does_not_count_before_its_time() -> None:
    rules = ClaimRules(expires=False, leeway_s=5)
    assert code(rules, {"nbf": AT}, NOW - timedelta(seconds=5)) is None
    assert code(rules, {"nbf": AT}, NOW - timedelta(seconds=5) - STEP) is Code.TIMESTAMP_IN_FUTURE


def test_the_age_is_limited_on_both_sides_inclusive() -> None:
    rules = ClaimRules(expires=False, max_age_s=300, future_s=30)
    for away in (-300, 30):
        assert code(rules, {"iat": AT + away}) is None
    assert code(rules, {"iat": AT - 300}, NOW + STEP) is Code.TIMESTAMP_TOO_OLD
    assert code(rules, {"iat": AT + 30}, NOW - STEP) is Code.TIMESTAMP_IN_FUTURE
    assert code(rules, {}) is Code.TIMESTAMP_MISSING
    assert rules.judge({"iat": AT}, NOW).until == NOW + timedelta(seconds=300)


def test_the_first_of_expiry_and_age_ends_it() -> None:
    rules = ClaimRules(max_age_s=300, leeway_s=0)
    assert rules.judge({"iat": AT, "exp": AT + 10}, NOW).until == NOW + timedelta(seconds=10) - STEP
    assert rules.judge({"iat": AT, "exp": AT + 900}, NOW).until == NOW + timedelta(seconds=300)


def test_the_age_is_left_alone_where_no_setting_limits_it() -> None:
    said = ClaimRules(expires=False).judge({"iat": 0}, NOW)
    assert (said.issued_at, said.until) == (datetime(1970, 1, 1, tzinfo=UTC), None)


def test_a_time_may_have_a_fraction() -> None:
    said = ClaimRules(expires=False, max_age_s=300).judge({"iat": AT - 0.5}, NOW)
    assert said.issued_at == NOW - timedelta(seconds=0.5)


@pytest.mark.parametrize("name", ["exp", "nbf", "iat"])
@pytest.mark.parametrize(
    "value", ["1793610873", None, True, -1, 1e300, 10**400, 253_402_300_800, float("nan"), float("inf"), [], {}]
)
def test_a_time_that_is_no_number_of_seconds_is_refused_whether_or_not_it_is_demanded(name: str, value: Any) -> None:
    assert code(ClaimRules(expires=False), {name: value}) is Code.TIMESTAMP_MALFORMED


def test_a_token_inside_of_a_token_may_be_old_but_not_expired_nor_of_another_issuer() -> None:
    rules = ClaimRules(issuers=("a.example.com",), required=("idJWT",), max_age_s=300).of_an_older_token()
    assert code(rules, {"iss": "a.example.com", "iat": 0}) is None
    assert code(rules, {"iss": "a.example.com", "exp": AT - 61}) is Code.TIMESTAMP_TOO_OLD
    assert code(rules, {"iss": "b.example.com"}) is Code.CLAIM_WRONG


@pytest.mark.parametrize(
    "settings",
    [
        {"issuers": ("",)},
        {"audiences": ("us", "")},
        {"required": ("",)},
        {"exact": {"iss": "a.example.com"}},
        {"exact": {"exp": 1}},
        {"max_age_s": 0},
        {"max_age_s": 86_401},
        {"future_s": 0},
        {"leeway_s": -1},
        {"leeway_s": 601},
    ],
)
def test_refuses_rules_that_say_nothing_or_have_no_bounds(settings: dict[str, Any]) -> None:
    with pytest.raises(Misconfigured):
        ClaimRules(**settings)


def test_a_naive_time_is_a_defect() -> None:
    with pytest.raises(ValueError, match="naive"):
        ClaimRules(expires=False).judge({}, datetime(2026, 1, 1))  # noqa: DTZ001 - on purpose

from __future__ import annotations

from dataclasses import replace

import pytest

from connector.mapping.apply import MAX_RAW_LENGTH, apply_rules
from connector.mapping.rules import Rule, RuleSet, TargetRule, compile_rules
from connector.model import Identity, Mapped, MappingResult, Target
from connector.private import Private
from connector.states import IdentityState

CLEAN = ("trim", "unquote", "strip_invisible", "nfc")
EMAIL = TargetRule("user", "email", (*CLEAN, "email", "lower"))
HASHED = TargetRule("user", "email_sha256", ("trim", "lower", "sha256"), optional=True)
PHONE = TargetRule("user", "phone", (*CLEAN, "e164"))
LOYALTY = TargetRule("user", "loyalty_id", ())

RULES = compile_rules(
    [Rule(("email", "E-Mail Address"), (EMAIL,)), Rule(("phone",), (PHONE,)), Rule(("loyalty id",), (LOYALTY,))],
    ["First name"],
    "DE",
)


def identity(kind: str, value: str) -> Identity:
    return Identity(kind, Private(value))


def apply(*pairs: tuple[str, str], rules: RuleSet = RULES) -> MappingResult:
    return apply_rules(rules, [identity(kind, value) for kind, value in pairs])


def one_target(value: str, target: TargetRule) -> Mapped:
    [mapped] = apply(("id", value), rules=compile_rules([Rule(("id",), (target,))], [], "DE")).mapped
    return mapped


def target(field: str, value: str) -> Target:
    return Target("user", field, Private(value))


def test_each_identity_gets_its_result_in_order() -> None:
    result = apply(("phone", "030 23125 100"), ("Nickname", "Ann"), ("EMAIL", "Ann@Example.com"), ("email", "ann"))
    assert [one.state for one in result.mapped] == [
        IdentityState.MAPPED,
        IdentityState.UNMAPPED,
        IdentityState.MAPPED,
        IdentityState.REJECTED,
    ]
    assert result.mapped[0].targets == (target("phone", "+493023125100"),)
    assert result.mapped[2].targets == (target("email", "ann@example.com"),)
    assert not result.mapped[1].targets
    assert not result.mapped[3].targets


def test_a_request_whose_identities_are_all_mapped_may_go_on() -> None:
    result = apply(("email", "ann@example.com"), ("phone", "+1 202 555 0123"))
    assert result.hold_reason == ""
    assert not any(one.holds for one in result.mapped)


@pytest.mark.parametrize(
    "value",
    [
        " ann@example.com\n",
        '"Ann@example.com"',
        "\u201cann@example.com\u201d",
        "\ufeff ann@example.com",
        "ann@exam\u200bple.com",
        "'ann@example.com\u00a0'",
    ],
)
def test_what_copying_leaves_around_an_address_does_not_make_it_miss(value: str) -> None:
    assert apply(("email", value)).mapped[0].targets == (target("email", "ann@example.com"),)


def test_one_rule_feeds_several_fields() -> None:
    rules = compile_rules([Rule(("email",), (EMAIL, HASHED))])
    [mapped] = apply(("email", " Ann@Example.com "), rules=rules).mapped
    # printf 'ann@example.com' | sha256sum
    digest = "71d4f55f72fa128dfb468a1a3901507c804b74316488744d769d7f4b16696476"
    assert mapped.targets == (target("email", "ann@example.com"), target("email_sha256", digest))


def test_equal_targets_of_one_identity_are_one() -> None:
    rules = compile_rules([Rule(("id",), (LOYALTY, replace(LOYALTY, steps=("lower",))))])
    assert apply(("id", "AB1"), rules=rules).mapped[0].targets == (
        target("loyalty_id", "AB1"),
        target("loyalty_id", "ab1"),
    )
    assert apply(("id", "ab1"), rules=rules).mapped[0].targets == (target("loyalty_id", "ab1"),)


@pytest.mark.parametrize(
    ("value", "rule", "reason"),
    [
        ("", EMAIL, "empty"),
        (" \u200b", EMAIL, "empty"),
        ("''", replace(LOYALTY, steps=("unquote",)), "empty"),
        ("none at all", replace(LOYALTY, steps=("digits_only",)), "empty"),
        ("null", EMAIL, "junk"),
        (" N/A ", EMAIL, "junk"),
        ("Undefined", LOYALTY, "junk"),
        ("0", PHONE, "junk"),
        ("'null'", replace(LOYALTY, steps=("unquote",)), "junk"),
        ("nu\u200bll", replace(LOYALTY, steps=("strip_invisible",)), "junk"),
        ("no 0", replace(LOYALTY, steps=("digits_only",)), "junk"),
        ("Gast", replace(LOYALTY, junk=frozenset({"GAST"})), "junk"),
        ("x" * 257, LOYALTY, "too_long"),
        ("ä" * 129, LOYALTY, "too_long"),
        ("x" * 11, replace(LOYALTY, max_bytes=10), "too_long"),
        ("x" * (MAX_RAW_LENGTH + 1), replace(LOYALTY, steps=("sha256",)), "too_long"),
        ("x", replace(LOYALTY, steps=("sha256",), max_bytes=63), "too_long"),
        ("a\tb", LOYALTY, "control_characters"),
        ("a\x00b", LOYALTY, "control_characters"),
        ("a\u2028b", LOYALTY, "control_characters"),
        ("a\ud800b", LOYALTY, "control_characters"),
        ("a\u200bb", LOYALTY, "control_characters"),
        ("a\u00a0b", LOYALTY, "control_characters"),
        ("a\u3164b", LOYALTY, "control_characters"),
        ("12\n34", replace(LOYALTY, steps=("digits_only",)), "control_characters"),
        ("030 23125\n100", PHONE, "control_characters"),
        ("ann@example.com\nbob@example.com", EMAIL, "control_characters"),
        (" a", LOYALTY, "unclean_edges"),
        ("a ", LOYALTY, "unclean_edges"),
        ('"a', LOYALTY, "unclean_edges"),
        ("a\u2019", LOYALTY, "unclean_edges"),
        ('"a', replace(LOYALTY, steps=("unquote",)), "unclean_edges"),
        ("ann", EMAIL, "invalid_email"),
        ("12", PHONE, "invalid_phone"),
        ("12345", replace(LOYALTY, pattern=r"\d{4}"), "pattern"),
        ("x1234", replace(LOYALTY, pattern=r"\d{4}"), "pattern"),
    ],
)
def test_an_unusable_value_is_rejected_with_its_reason(value: str, rule: TargetRule, reason: str) -> None:
    mapped = one_target(value, rule)
    assert (mapped.state, mapped.reason, mapped.holds) == (IdentityState.REJECTED, reason, True)
    assert mapped.targets == ()


@pytest.mark.parametrize("value", ["", "null", '"ann', "a\u200bn", " ann", "a\ud800b"])
def test_a_value_that_is_unusable_is_not_usable_as_a_hash(value: str) -> None:
    assert one_target(value, replace(LOYALTY, steps=("sha256",))).state is IdentityState.REJECTED


@pytest.mark.parametrize("value", ["x" * 256, "ä" * 128, "O'Brien", "a b", "00", "12-34/5", "日本"])
def test_an_unusual_but_whole_value_passes(value: str) -> None:
    assert one_target(value, LOYALTY).targets == (target("loyalty_id", value),)


def test_a_long_value_may_be_hashed_and_a_pattern_looks_at_it_before() -> None:
    rule = replace(LOYALTY, steps=("sha256",), pattern="x+")
    assert one_target("x" * 300, rule).state is IdentityState.MAPPED
    assert one_target("y", rule).reason == "pattern"


def test_the_length_is_bounded_before_a_pattern_is_tried() -> None:
    assert one_target("x" * 300, replace(LOYALTY, pattern="y")).reason == "too_long"


def test_no_junk_words_means_that_only_nothing_is_refused() -> None:
    assert one_target("null", replace(LOYALTY, junk=frozenset())).state is IdentityState.MAPPED
    assert one_target(" ", replace(LOYALTY, junk=frozenset())).reason == "empty"


def test_an_optional_target_that_fails_is_left_out() -> None:
    rules = compile_rules([Rule(("id",), (replace(LOYALTY, field="number", pattern=r"\d+", optional=True), LOYALTY))])
    [mapped] = apply(("id", "AB1"), rules=rules).mapped
    assert (mapped.state, mapped.reason, mapped.holds) == (IdentityState.MAPPED, "", False)
    assert mapped.targets == (target("loyalty_id", "AB1"),)


def test_an_identity_whose_optional_targets_all_fail_is_rejected_with_the_first_reason() -> None:
    number = replace(LOYALTY, field="number", pattern=r"\d+", optional=True)
    rules = compile_rules([Rule(("id",), (number, replace(EMAIL, optional=True)))])
    [mapped] = apply(("id", "AB1"), rules=rules).mapped
    assert (mapped.state, mapped.reason, mapped.holds) == (IdentityState.REJECTED, "pattern", True)


@pytest.mark.parametrize("targets", [(LOYALTY, EMAIL), (EMAIL, LOYALTY)])
def test_one_failing_target_that_is_not_optional_rejects_the_identity(targets: tuple[TargetRule, ...]) -> None:
    [mapped] = apply(("id", "AB1"), rules=compile_rules([Rule(("id",), targets)])).mapped
    assert (mapped.state, mapped.reason, mapped.targets) == (IdentityState.REJECTED, "invalid_email", ())


def test_an_ignored_kind_passes_unmapped() -> None:
    result = apply(("email", "ann@example.com"), ("first NAME", "Ann"))
    assert result.mapped[1] == Mapped(IdentityState.UNMAPPED, reason="ignored", holds=False)
    assert result.hold_reason == ""


def test_an_unknown_kind_holds_the_request() -> None:
    result = apply(("email", "ann@example.com"), ("Nickname", "Ann"))
    assert result.mapped[1] == Mapped(IdentityState.UNMAPPED, reason="no_rule", holds=True)
    assert result.hold_reason == "unmapped_identity"


def test_a_rejected_identity_holds_the_request() -> None:
    assert apply(("email", "ann@example.com"), ("phone", "x")).hold_reason == "rejected_identity"


REQUIRED = compile_rules([Rule(("email",), (EMAIL,), required=True), Rule(("id",), (LOYALTY,))], ["name"])


def test_a_missing_required_identity_holds_the_request() -> None:
    assert apply(("id", "AB1"), rules=REQUIRED).hold_reason == "required_identity_missing"
    assert apply(("id", "AB1"), ("E-MAIL", "ann@example.com"), rules=REQUIRED).hold_reason == ""


@pytest.mark.parametrize("pairs", [[], [("First name", "Ann")]])
def test_a_request_with_nothing_to_delete_is_held(pairs: list[tuple[str, str]]) -> None:
    assert apply(*pairs).hold_reason == "nothing_mapped"


@pytest.mark.parametrize(
    ("pairs", "reason"),
    [
        ([("email", "x"), ("nick", "Ann")], "unmapped_identity"),
        ([("email", "x"), ("id", "AB1")], "rejected_identity"),
        ([("name", "Ann")], "required_identity_missing"),
    ],
)
def test_the_first_of_several_hold_reasons_is_named(pairs: list[tuple[str, str]], reason: str) -> None:
    assert apply(*pairs, rules=REQUIRED).hold_reason == reason


def test_results_show_no_value() -> None:
    result = apply(("email", "ann@example.com"), ("phone", "x-23125"), ("Nickname", "Annie"))
    assert "ann" not in repr(result).casefold()
    assert "23125" not in repr(result)

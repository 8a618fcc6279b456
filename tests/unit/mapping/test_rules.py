from __future__ import annotations

import re
from dataclasses import replace

import pytest

from connector.codes import Code
from connector.errors import Misconfigured
from connector.mapping.rules import Rule, TargetRule, compile_rules, kind_key, problems

EMAIL = TargetRule("user", "email", ("trim", "email", "lower"))
RULE = Rule(("email",), (EMAIL,))


def with_target(**changes: object) -> list[Rule]:
    return [Rule(("email",), (replace(EMAIL, **changes),))]


@pytest.mark.parametrize("kind", ["E-Mail", "e_mail", " E MAIL\t", "e\u00a0mail", "\uff45\uff4d\uff41\uff49\uff4c"])
def test_a_kind_is_known_in_any_case_and_spacing(kind: str) -> None:
    assert kind_key(kind) == "email"
    assert kind_key(kind) in compile_rules([RULE]).by_kind


@pytest.mark.parametrize("kind", ["e.mail", "emails", "mail"])
def test_other_kinds_stay_others(kind: str) -> None:
    assert kind_key(kind) != "email"


def test_the_key_of_a_kind_is_its_own_key() -> None:
    for kind in ("Straße", "İd", "\u2126 no", "ﬁle_id"):
        assert kind_key(kind_key(kind)) == kind_key(kind)


def test_good_rules_have_no_problems() -> None:
    rules = [
        Rule(("email", "e-mail", "Email"), (EMAIL, replace(EMAIL, field="email_sha256", steps=("lower", "sha256")))),
        Rule(("phone",), (TargetRule("user", "phone", ("trim", "e164"), pattern=r"\+49\d+"),)),
        Rule(("Customer No",), (TargetRule("_t", "f" * 64, ()),)),
    ]
    assert problems(rules, ["First name"], "DE") == []


@pytest.mark.parametrize(
    ("rules", "ignored", "region", "path"),
    [
        (with_target(steps=("trim", "loower")), [], None, "mapping[0].targets[0].steps[1]"),
        (with_target(steps=("sha256", "lower")), [], None, "mapping[0].targets[0].steps[1]"),
        (with_target(steps=("md5", "sha256")), [], None, "mapping[0].targets[0].steps[1]"),
        (with_target(steps=("e164",)), [], None, "default_region"),
        (with_target(steps=("e164",)), [], "de", "default_region"),
        ([RULE], [], "XX", "default_region"),
        ([RULE, Rule(("E-MAIL",), (EMAIL,))], [], None, "mapping[1].kinds[0]"),
        ([RULE], ["E Mail"], None, "ignore_kinds[0]"),
        ([RULE], ["name", "--"], None, "ignore_kinds[1]"),
        ([Rule((), (EMAIL,))], [], None, "mapping[0].kinds"),
        ([Rule(("email", " _ "), (EMAIL,))], [], None, "mapping[0].kinds[1]"),
        ([Rule(("email",), ())], [], None, "mapping[0].targets"),
        (with_target(table=""), [], None, "mapping[0].targets[0].table"),
        (with_target(table="user/x"), [], None, "mapping[0].targets[0].table"),
        (with_target(field="1st"), [], None, "mapping[0].targets[0].field"),
        (with_target(field="e-mail"), [], None, "mapping[0].targets[0].field"),
        (with_target(field="f" * 65), [], None, "mapping[0].targets[0].field"),
        (with_target(field="email\n"), [], None, "mapping[0].targets[0].field"),
        (with_target(max_bytes=0), [], None, "mapping[0].targets[0].max_bytes"),
        (with_target(max_bytes=1025), [], None, "mapping[0].targets[0].max_bytes"),
        (with_target(pattern="("), [], None, "mapping[0].targets[0].pattern"),
        (with_target(pattern="a{9999999999999999999}"), [], None, "mapping[0].targets[0].pattern"),
    ],
)
def test_a_bad_rule_is_named_by_its_path(rules: list[Rule], ignored: list[str], region: str | None, path: str) -> None:
    assert [where for where, _ in problems(rules, ignored, region)] == [path]


def test_all_problems_are_told_together() -> None:
    rules = [
        Rule(("email",), (replace(EMAIL, steps=("nope",)), replace(EMAIL, table="a b", pattern="["))),
        Rule(("Email",), (TargetRule("user", "phone", ("e164",)),)),
    ]
    with pytest.raises(Misconfigured) as caught:
        compile_rules(rules, ["e-mail"])
    assert caught.value.code is Code.CONFIG_INVALID
    for path in (
        "mapping[0].targets[0].steps[0]",
        "mapping[0].targets[1].table",
        "mapping[0].targets[1].pattern",
        "mapping[1].kinds[0]",
        "ignore_kinds[0]",
        "default_region",
    ):
        assert f"{path}: " in caught.value.detail


def test_an_unknown_step_is_answered_with_the_known_ones() -> None:
    [(_, message)] = problems(with_target(steps=("trimm",)))
    assert re.search(r"'trimm'.*trim, unquote", message)


def test_the_digest_is_stable_and_does_not_depend_on_the_order_of_sets() -> None:
    one = compile_rules(with_target(junk=frozenset({"x", "y", "z"})), ["a", "b"])
    two = compile_rules(with_target(junk=frozenset({"z", "Y", "x"})), ["B", "a"])
    assert re.fullmatch(r"[0-9a-f]{64}", one.digest)
    assert one.digest == two.digest


@pytest.mark.parametrize(
    "changes",
    [
        {"table": "other"},
        {"field": "other"},
        {"steps": ("lower",)},
        {"optional": True},
        {"max_bytes": 99},
        {"junk": frozenset({"x"})},
        {"pattern": "x"},
    ],
)
def test_the_digest_changes_with_every_setting_of_a_target(changes: dict[str, object]) -> None:
    assert compile_rules(with_target(**changes)).digest != compile_rules([RULE]).digest


def test_the_digest_changes_with_every_setting_beside_the_targets() -> None:
    digests = [
        compile_rules([RULE]).digest,
        compile_rules([replace(RULE, required=True)]).digest,
        compile_rules([replace(RULE, kinds=("mail",))]).digest,
        compile_rules([RULE], ["name"]).digest,
        compile_rules([RULE], [], "DE").digest,
    ]
    assert len(set(digests)) == len(digests)

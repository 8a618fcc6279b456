from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.mapping.rules import Rule, TargetRule, compile_rules
from connector.policy.sameness import forms_of, loose_form
from connector.private import Private

PHONES = compile_rules(
    [
        Rule(("phone",), (TargetRule("user", "phone", ("trim", "e164")),)),
        Rule(("email",), (TargetRule("user", "email_hash", ("trim", "lower", "sha256")),)),
    ],
    default_region="DE",
)


def loose(value: str) -> str:
    return loose_form(Private(value)).reveal()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna@Example.com", "anna@example.com"),
        (" anna@example.com\t", "anna@example.com"),
        ("anna @example.com", "anna@example.com"),
        ("\u200banna@example.com\ufeff", "anna@example.com"),
        ("anna@example.com", "\uff21nna@example.com"),
        ('"anna@example.com"', "anna@example.com"),
        ("mailto:Anna@example.com", "anna@example.com"),
        ("Jose\u0301", "Jos\u00e9"),
        ("STRASSE-1a", "stra\u00dfe-1A"),
        ("+49 (30) 901820", "0049-30-90 18 20"),
        ("tel:+4930901820", "4930901820"),
        ("L-77 12", "l-7712"),
    ],
)
def test_what_people_write_differently_is_the_same(one: str, other: str) -> None:
    assert loose(one) == loose(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("anna@example.com", "anna@example.org"),
        ("anna@example.com", "ann@example.com"),
        ("L-7712", "L-7713"),
        ("12-34", "1234"),
        ("+4930901820", "+4930901821"),
    ],
)
def test_other_people_stay_others(one: str, other: str) -> None:
    assert loose(one) != loose(other)


def test_a_form_is_what_the_rules_make_of_a_value() -> None:
    forms = {one.reveal() for one in forms_of(Private("030 901820"), [PHONES])}
    assert forms >= {"030901820", "4930901820"}


def test_a_value_that_reaches_lytics_as_a_hash_is_known_by_the_hash_too() -> None:
    forms = {one.reveal() for one in forms_of(Private(" Anna@example.com"), [PHONES])}
    assert forms == {"anna@example.com", hashlib.sha256(b"anna@example.com").hexdigest()}


def test_nothing_has_no_form() -> None:
    assert forms_of(Private(" \u200b"), [PHONES]) == frozenset()


@given(st.text(max_size=60))
def test_a_loose_form_is_its_own_loose_form_or_shows_less_still(value: str) -> None:
    once = loose_form(Private(value))
    assert not any(one.isspace() for one in once.reveal())
    assert repr(once) == "<private>"

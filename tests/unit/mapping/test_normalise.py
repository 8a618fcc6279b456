from __future__ import annotations

import pytest

from connector.mapping.characters import trim_edges
from connector.mapping.normalise import STEPS, Context
from connector.mapping.reasons import Reason, Unusable

DE = Context("DE")


def run(step: str, value: str, context: Context = DE) -> str:
    return STEPS[step].run(value, context)


def reason_of(step: str, value: str) -> Reason:
    with pytest.raises(Unusable) as caught:
        run(step, value)
    assert not value or value not in str(caught.value) + repr(caught.value)
    assert caught.value.__cause__ is None
    return caught.value.reason


@pytest.mark.parametrize(
    ("step", "value", "result"),
    [
        ("trim", " \t\u00a0ann@example.com\r\n\u2029", "ann@example.com"),
        ("trim", "\ufeff \u200bann b\u200b \ufeff", "ann b"),
        ("trim", " \u200b ", ""),
        ("unquote", '"ann"', "ann"),
        ("unquote", "'ann'", "ann"),
        ("unquote", "\u201cann\u201d", "ann"),
        ("unquote", "\u201eann\u201c", "ann"),
        ("unquote", "\u2018ann\u2019", "ann"),
        ("unquote", "«ann»", "ann"),
        ("unquote", "'\" ann \"'", "ann"),
        ("unquote", '"ann', '"ann'),
        ("unquote", "ann's", "ann's"),
        ("unquote", '"', '"'),
        ("unquote", '""', ""),
        ("strip_invisible", "\ufeffa\u200bn\u2060n\u00ad\u200e\ufe0f", "ann"),
        ("strip_invisible", "a\u00a0b\u2009c\u3000d", "a b c d"),
        ("strip_invisible", "a\tb\nc\x00", "a\tb\nc\x00"),
        ("collapse_spaces", "a   b  c d", "a b c d"),
        ("collapse_spaces", "a\t\tb", "a\t\tb"),
        ("nfc", "a\u0308", "ä"),
        ("nfc", "ﬁ", "ﬁ"),
        ("nfkc", "ﬁ①\uff21", "fi1A"),
        ("lower", "Ann@Example.COM", "ann@example.com"),
        ("upper", "ab-1", "AB-1"),
        ("digits_only", "A-12 34/\u0665", "12345"),
        ("digits_only", "none½", ""),
        ("email", "Ann.B+tag@Example.com", "Ann.B+tag@Example.com"),
        ("email", "ann@example.org", "ann@example.org"),
        ("email", "ann@shop.test", "ann@shop.test"),
        ("email", "jürgen@example.org", "jürgen@example.org"),
        ("email", "ann@münchen.example.org", "ann@münchen.example.org"),
        ("email", "ann@xn--mnchen-3ya.example.org", "ann@xn--mnchen-3ya.example.org"),
        ("e164", "030/23125-100", "+493023125100"),
        ("e164", "+49 (0)30 23125 100", "+493023125100"),
        ("e164", "0049 30 23125100", "+493023125100"),
        ("e164", "+1 202 555 0123", "+12025550123"),
        ("e164", "+1 (202) 555\u20110123", "+12025550123"),
        ("e164", "\u0660\u0663\u0660\u0662\u0663\u0661\u0662\u0665\u0661\u0660\u0660", "+493023125100"),
    ],
)
def test_a_step_gives_the_form_it_promises(step: str, value: str, result: str) -> None:
    assert run(step, value) == result


# The digests of "abc" are test vectors of FIPS 180-4 (SHA-1, SHA-256) and RFC 1321 (MD5); the base64 form was made with
# `printf abc | openssl dgst -sha256 -binary | base64`, the last one with `printf 'jürgen@example.org' | sha256sum`.
@pytest.mark.parametrize(
    ("step", "value", "digest"),
    [
        ("sha256", "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        ("sha256_base64", "abc", "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0="),
        ("sha1", "abc", "a9993e364706816aba3e25717850c26c9cd0d89d"),
        ("md5", "abc", "900150983cd24fb0d6963f7d28e17f72"),
        ("sha256", "jürgen@example.org", "f3f4b4687ffd39976c77372b2ebd6e837e26a0cf094ac44cbb4577bd0c248314"),
    ],
)
def test_a_hash_step_agrees_with_known_digests(step: str, value: str, digest: str) -> None:
    assert run(step, value) == digest


@pytest.mark.parametrize(
    "value",
    [
        "",
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@localhost",
        "ann@@example.com",
        "ann@example..com",
        "ann@example.com.",
        " ann@example.com",
        "ann@example.com, bob@example.com",
        "Ann <ann@example.com>",
        '"ann b"@example.com',
        "mailto:ann@example.com",
        "ann@[192.0.2.1]",
        "a\u200bnn@example.com",
        "ann\uff20example.com",
        "ann@\uff45\uff58\uff41\uff4d\uff50\uff4c\uff45.com",
    ],
)
def test_what_is_not_one_plain_address_is_no_email(value: str) -> None:
    assert reason_of("email", value) is Reason.INVALID_EMAIL


@pytest.mark.parametrize(
    "value",
    [
        "",
        "+",
        "12",
        "00000",
        "call 030 23125100",
        "030 23125100 now",
        "030 23125100 ext 5",
        "030 23125100;ext=5",
        "030 23125100 or 030 23125101",
        "030 23125100 / 030 23125101",
        "030 23125100, 030 23125101",
        "1-800-FLOWERS",
        "+999 30 23125100",
        "9" * 300,
    ],
)
def test_what_is_not_one_valid_number_is_no_phone(value: str) -> None:
    assert reason_of("e164", value) is Reason.INVALID_PHONE


def test_the_region_decides_about_a_number_without_country_code() -> None:
    assert run("e164", "(202) 555-0123", Context("US")) == "+12025550123"
    assert run("e164", "+1 202 555 0123", Context(None)) == "+12025550123"
    with pytest.raises(Unusable):
        run("e164", "030 23125100", Context(None))


@pytest.mark.parametrize(
    "step", ["trim", "unquote", "strip_invisible", "collapse_spaces", "nfc", "nfkc", "digits_only"]
)
@pytest.mark.parametrize("value", ["", "ann", " '\u201c a  b \u201d' ", "\u200b\ufeff", "\uff21\u00a0ﬁ \u0661"])
def test_a_cleaning_step_changes_nothing_the_second_time(step: str, value: str) -> None:
    once = run(step, value)
    assert run(step, once) == once


def test_the_steps_that_hash_and_need_a_region_are_marked() -> None:
    assert {name for name, step in STEPS.items() if step.hashes} == {"sha256", "sha256_base64", "sha1", "md5"}
    assert {name for name, step in STEPS.items() if step.needs_region} == {"e164"}


def test_trimming_leaves_the_middle_alone() -> None:
    assert trim_edges(" a\u200b\tb ") == "a\u200b\tb"

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.codes import Code
from connector.crypto.pseudonym import Pseudonymiser
from connector.errors import Misconfigured
from connector.private import Private, Secret

KEY = "0123456789abcdef0123456789abcdef"
HASHES = Pseudonymiser(Secret(KEY, "env:PSEUDONYM_KEY"))


# Made with OpenSSL:
#   printf 'consent-connector/pseudonym/1\0t\0\0\0\05emailann@example.com' |
#     openssl dgst -sha256 -mac HMAC -macopt key:0123456789abcdef0123456789abcdef -hex
# and the same with 'b\0\0\0\04body{}' after the first zero byte.
def test_hashes_agree_with_openssl() -> None:
    assert HASHES.of("email", Private("ann@example.com")) == (
        "89094c096132218f14548c1454769794f57480075a1ad02ba5510891a3249794"
    )
    assert HASHES.of_bytes("body", b"{}") == "0482ddbff6ceba8d2eed6da2ca04fb8bae62e09fc79da866a4e0b2a932f61a45"


def test_text_is_hashed_as_utf_8() -> None:
    assert HASHES.of("x", Private("jürgen")) != HASHES.of("x", Private("ju\u0308rgen"))
    assert HASHES.of("x", Private("jürgen")) == Pseudonymiser(Secret(KEY, "other")).of("x", Private("jürgen"))


def test_another_key_makes_other_hashes() -> None:
    other = Pseudonymiser(Secret(KEY[::-1], "env:OTHER"))
    assert other.of("email", Private("ann@example.com")) != HASHES.of("email", Private("ann@example.com"))


def test_the_border_between_scope_and_value_counts() -> None:
    pairs = [("ab", "c"), ("a", "bc"), ("abc", ""), ("", "abc")]
    assert len({HASHES.of(scope, Private(value)) for scope, value in pairs}) == len(pairs)


def test_text_and_bytes_never_share_a_hash() -> None:
    assert HASHES.of("x", Private("abc")) != HASHES.of_bytes("x", b"abc")


TEXT = st.text(st.characters(exclude_categories=()), max_size=6)


@settings(deadline=None, max_examples=200)
@given(one=st.tuples(TEXT, TEXT), other=st.tuples(TEXT, TEXT))
def test_only_equal_scope_and_value_give_equal_hashes(one: tuple[str, str], other: tuple[str, str]) -> None:
    first, second = (HASHES.of(scope, Private(value)) for scope, value in (one, other))
    assert (first == second) == (one == other)


@pytest.mark.parametrize("key", ["", "x" * 31, "ä" * 15])
def test_a_short_key_is_refused_without_being_shown(key: str) -> None:
    with pytest.raises(Misconfigured) as caught:
        Pseudonymiser(Secret(key, "env:PSEUDONYM_KEY"))
    assert caught.value.code is Code.CONFIG_INVALID
    assert "env:PSEUDONYM_KEY" in str(caught.value)
    assert not key or key not in str(caught.value)


def test_a_key_is_measured_in_bytes() -> None:
    assert len(Pseudonymiser(Secret("ä" * 16, "env:X")).of("x", Private("y"))) == 64


def test_the_key_is_not_shown() -> None:
    assert KEY not in repr(HASHES)

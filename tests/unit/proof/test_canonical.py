"""Canonical JSON against the samples in the text of RFC 8785."""

from __future__ import annotations

import json
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.proof import canonical
from connector.proof.verdict import Flaw, Refuted

# Section 3.2.2, and its result in section 3.2.3 with the bytes of section 3.2.4.
GIVEN = r"""{
  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
  "literals": [null, true, false]
}"""
WANTED = (
    "7b226c69746572616c73223a5b6e756c6c2c747275652c66616c73655d2c226e756d62657273223a5b3333333333333333332e3333333333"
    "33332c31652b33302c342e352c302e3030322c31652d32375d2c22737472696e67223a22e282ac245c75303030665c6e4127425c225c5c5c"
    "5c5c222f227d"
)
# Section 3.2.3: members in the order of their UTF-16 code units.
UNSORTED = {
    "\u20ac": "Euro Sign",
    "\r": "Carriage Return",
    "\ufb33": "Hebrew Letter Dalet With Dagesh",
    "1": "One",
    "\U0001f600": "Emoji: Grinning Face",
    "\u0080": "Control",
    "\u00f6": "Latin Small Letter O With Diaeresis",
}
ORDER = ["\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33"]
# Appendix B: the bits of a number, and how it is written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def test_the_sample_of_the_rfc_comes_out_byte_by_byte() -> None:
    assert canonical.write(json.loads(GIVEN)).hex() == WANTED


def test_members_are_sorted_as_the_rfc_sorts_them() -> None:
    assert list(json.loads(canonical.write(UNSORTED))) == ORDER


@pytest.mark.parametrize(("bits", "written"), NUMBERS.items())
def test_numbers_are_written_as_the_rfc_writes_them(bits: str, written: str) -> None:
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical.write(number).decode() == written


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b'{"a":1,"a":1}',
        b'{"b":1,"a":1}',
        b'{"a": 1}',
        b'{"a":1}\n',
        b"\xef\xbb\xbf{}",
        b'{"a":1.0}',
        b'{"a":01}',
        b'{"a":9007199254740993}',
        b'{"a":NaN}',
        b'{"a":Infinity}',
        b'"\\u0041"',
        b'"\\ud800"',
        b'"\xff"',
        b"[" * 100_000,
        b"[" * 33 + b"]" * 33,
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    with pytest.raises(Refuted) as caught:
        canonical.read(data)
    assert caught.value.flaw is Flaw.NOT_CANONICAL


def test_only_an_object_is_an_object() -> None:
    assert canonical.read_object(b"{}") == {}
    with pytest.raises(Refuted):
        canonical.read_object(b"[]")


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(values)
def test_what_is_written_is_read_again(value: object) -> None:
    assert canonical.read(canonical.write(value)) == value


@given(st.binary())
def test_nothing_raises_but_the_verdict(data: bytes) -> None:
    try:
        found = canonical.read(data)
    except Refuted:
        return
    assert canonical.write(found) == data

"""JSON that has one meaning."""

from __future__ import annotations

import pytest

from connector.pointer import NOTHING
from connector.verify.strict_json import is_same, read_json, read_object


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "\\u0061": 2}}',
        b"[NaN]",
        b"[Infinity]",
        b"[1e999]",
        b"[" + b"9" * 5_000 + b"]",
        b"\xef\xbb\xbf{}",
        b"{}{}",
        b"{'a': 1}",
        b'{"a": 1,}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": "\xff"}',
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a": "\x01"}',
    ],
    ids=lambda data: repr(data[:24]),
)
def test_what_different_programs_read_differently_is_not_read(data: bytes) -> None:
    assert read_json(data) is NOTHING
    assert read_object(data) is None


def test_an_object_is_told_from_other_values() -> None:
    assert read_object(b'{"a": null}') == {"a": None}
    assert read_json(b"null") is None
    for other in (b"null", b"[]", b'"text"', b"1", b"true"):
        assert read_object(other) is None


def test_values_that_json_cannot_hold_are_equal_to_nothing() -> None:
    assert not is_same(object(), object())
    assert is_same({"b": 1, "a": "é\ud800"}, {"a": "é\ud800", "b": 1})

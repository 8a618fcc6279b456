"""JSON that has one meaning, and pointers into it (RFC 6901)."""

from __future__ import annotations

import pytest

from connector.verify.strict_json import NOTHING, at_pointer, is_pointer, is_same, read_json, read_object


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


@pytest.mark.parametrize(
    ("pointer", "found"),
    # The document and the pointers of RFC 6901 section 5.
    [
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
    ],
)
def test_reads_the_pointers_of_the_rfc(pointer: str, found: object) -> None:
    document = {
        "foo": ["bar", "baz"],
        "": 0,
        "a/b": 1,
        "c%d": 2,
        "e^f": 3,
        "g|h": 4,
        "i\\j": 5,
        'k"l': 6,
        " ": 7,
        "m~n": 8,
    }
    assert is_pointer(pointer)
    assert at_pointer(document, pointer) == found
    assert at_pointer(document, "") is document


@pytest.mark.parametrize("pointer", ["/foo/2", "/foo/-", "/foo/00", "/foo/bar", "/none", "/foo/0/x", "/foo/9999999999"])
def test_finds_nothing_where_there_is_nothing(pointer: str) -> None:
    assert at_pointer({"foo": ["bar", None]}, pointer) is NOTHING


@pytest.mark.parametrize("text", ["foo", "/~", "/~2", " /foo", "#/foo"])
def test_tells_what_is_no_pointer(text: str) -> None:
    assert not is_pointer(text)


def test_values_that_json_cannot_hold_are_equal_to_nothing() -> None:
    assert not is_same(object(), object())
    assert is_same({"b": 1, "a": "é\ud800"}, {"a": "é\ud800", "b": 1})

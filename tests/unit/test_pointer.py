"""JSON pointers. The document and what each pointer names are those of RFC 6901 section 5."""

from __future__ import annotations

import pytest

from connector.pointer import NOTHING, at_pointer, is_pointer


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


def test_an_escaped_tilde_is_unescaped_last() -> None:
    # RFC 6901 section 4: `~01` is `~1`, and not a slash.
    assert at_pointer({"~1": "right", "/": "wrong"}, "/~01") == "right"

"""The search for marked values finds every spelling of every one of them, and nothing where there is none."""

from __future__ import annotations

import base64
import hashlib
import html
import json
import os
import unicodedata
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from connector.private import Private
from tests.support.canary import MARKERS, Marker, Search

SEARCH = Search()
WAYS: dict[str, Callable[[str], bytes]] = {
    "raw": str.encode,
    "lower case": lambda text: text.lower().encode(),
    "upper case": lambda text: text.upper().encode(),
    "decomposed": lambda text: unicodedata.normalize("NFD", text).encode(),
    "UTF-16": lambda text: text.encode("utf-16"),
    "JSON": lambda text: json.dumps({"a": text}).encode(),
    "JSON without escapes": lambda text: json.dumps([text], ensure_ascii=False).encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps([text], ensure_ascii=False)).encode(),
    "repr": lambda text: repr([text]).encode(),
    "ascii": lambda text: ascii(text).encode(),
    "bytes": lambda text: repr(text.encode()).encode(),
    "HTML": lambda text: html.escape(text).encode("ascii", "xmlcharrefreplace"),
    "path of a URL": lambda text: f"/v2/identity/user/email/{quote(text, safe='')}".encode(),
    "query of a URL": lambda text: f"/?q={quote_plus(text)}".encode(),
    "hexadecimal": lambda text: text.encode().hex().encode(),
    "upper hexadecimal": lambda text: text.encode().hex().upper().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64, one on": lambda text: base64.b64encode(b"{" + text.encode()),
    "base64, two on": lambda text: base64.b64encode(b"{ " + text.encode()),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(text.encode()).rstrip(b"="),
    "Basic": lambda text: b"Basic " + base64.b64encode(b"user:" + text.encode()),
    "SHA-256": lambda text: hashlib.sha256(text.encode()).hexdigest().encode(),
    "SHA-256 of what was normalised": lambda text: hashlib.sha256(text.lower().encode()).digest(),
    "MD5": lambda text: hashlib.md5(text.lower().encode(), usedforsecurity=False).hexdigest().encode(),
    "SHA-1": lambda text: hashlib.sha1(text.encode(), usedforsecurity=False).hexdigest().encode(),
    "SHA-256 in base64": lambda text: base64.b64encode(hashlib.sha256(text.encode()).digest()),
}


@pytest.mark.parametrize("marker", MARKERS, ids=lambda one: one.name)
@pytest.mark.parametrize("way", WAYS)
def test_each_value_is_found_in_each_spelling_and_named(marker: Marker, way: str) -> None:
    found = SEARCH.find(b"before it " + WAYS[way](marker.value) + b" and behind it")
    assert found
    assert all(one.startswith(marker.name) for one in found)
    assert marker.value not in str(found)


@pytest.mark.parametrize("marker", MARKERS, ids=lambda one: one.name)
def test_a_part_of_a_value_is_found(marker: Marker) -> None:
    longest = max(marker.words, key=len)
    assert SEARCH.find(f"cut to {longest}")


def test_a_telephone_number_is_found_as_it_is_dialled_at_home() -> None:
    assert SEARCH.find("015550179843") == ["telephone as text"]


def test_no_two_markers_are_taken_for_each_other() -> None:
    words = [word.casefold() for one in MARKERS for word in set(one.words)]
    assert len(words) == len(set(words))
    assert all(one.words for one in MARKERS)


def test_nothing_is_found_where_nothing_is() -> None:
    assert SEARCH.find(os.urandom(200_000)) == []
    assert SEARCH.find("ana@example.com asked for erasure; 0123456 of 7654321, <private>, a***@e***.com") == []


def test_a_wrapped_value_is_no_finding() -> None:
    assert SEARCH.find(f"{Private(MARKERS[0].value)!r} {Private(MARKERS[0].value)}") == []


def test_a_leak_in_an_exception_a_log_line_and_a_url_is_found() -> None:
    """What somebody might write who did not think of it."""
    value = MARKERS[0].value
    for leak in (
        f"KeyError: {value!r}",
        f'{{"action": "x", "reason": "{value}"}}',
        f"GET /profiles?email={quote(value)}",
    ):
        assert SEARCH.find(leak), leak

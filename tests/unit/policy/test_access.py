"""The document of an access request."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

from connector.policy.access import FORMAT, REDACTION, Find, encoded, merge
from connector.private import Private

AT = datetime(2026, 11, 2, 9, 0, tzinfo=UTC)
PLACE = ("main", "user", "email")


def find(value: str, content: object | None, *, redacted: bool = False) -> Find:
    said = None if content is None else Private(json.dumps(content))
    return Find("email", Private(value), PLACE, said, redacted)


def test_each_profile_stands_there_once_and_each_look_up_names_its_own() -> None:
    made = merge({"job": "j1", "empty": ""}, [find("c", {"n": 2}), find("a", {"n": 1}), find("b", {"n": 1})], AT)
    body = json.loads(made.text.reveal())
    assert body["format"] == FORMAT
    assert body["ids"] == {"job": "j1"}
    assert body["made_at"] == "2026-11-02T09:00:00Z"
    assert [(one["identity"]["value"], one["profile"]) for one in body["look_ups"]] == [("a", 1), ("b", 1), ("c", 2)]
    assert body["profiles"] == [{"number": 1, "content": {"n": 1}}, {"number": 2, "content": {"n": 2}}]
    assert body["warnings"] == []
    assert made.profiles == 2


def test_who_was_not_found_is_named_as_not_found() -> None:
    body = json.loads(merge({}, [find("a", None)], AT).text.reveal())
    assert body["profiles"] == []
    assert body["look_ups"][0]["profile"] is None
    assert body["look_ups"][0]["looked_up_in"] == {"account": "main", "table": "user", "field": "email"}


def test_what_is_missing_is_said_in_the_document() -> None:
    assert json.loads(merge({}, [find("a", {}, redacted=True)], AT).text.reveal())["warnings"] == [REDACTION]


def test_size_and_digest_are_those_of_the_bytes_that_are_handed_over() -> None:
    made = merge({}, [find("ä", {"name": "Łukasz", "odd": "\ud83d"})], AT)
    content = encoded(made.text.reveal())
    assert (len(content), hashlib.sha256(content).hexdigest()) == (made.size, made.sha256)
    assert "Łukasz" in made.text.reveal()
    # Half a pair stays what JSON says that it is.
    assert json.loads(content)["profiles"][0]["content"]["odd"] == "\ud83d"


def test_nothing_of_it_shows_itself() -> None:
    made = merge({}, [find("ana@example.com", {"email": "ana@example.com"})], AT)
    assert "ana" not in repr(made)
    assert "ana" not in repr(find("ana@example.com", {"email": "ana@example.com"}))

"""A profile without its personal fields is told from a whole one."""

from __future__ import annotations

import pytest

from connector.lytics.redaction import is_redacted
from connector.private import Private

ANA = Private("Ana@Example.com")


@pytest.mark.parametrize(
    "entity",
    [
        {"email": "ana@example.com"},
        {"email": " ANA@example.com "},
        {"email": ["bo@example.com", "ana@example.com"]},
        # A set of identifiers may be kept as a map of them.
        {"email": {"ana@example.com": 3}},
        {"email": "ana@example.com", "note": "about redacted things", "score": 7, "tags": [None, True]},
        {"email": "ana@example.com", "size": "XXL", "mask": "**"},
    ],
)
def test_a_whole_profile_is_called_whole(entity: dict[str, object]) -> None:
    assert not is_redacted({"entity": entity, "keys": []}, "email", ANA)
    assert not is_redacted(entity, "email", ANA)


@pytest.mark.parametrize(
    "data",
    [
        # The value by which it was found is not shown, even if its keys know it.
        {"entity": {"plan": "gold"}, "keys": [{"key": "email", "value": "ana@example.com"}]},
        {"entity": {"email": "bo@example.com"}},
        {"entity": {"email": None}},
        {"entity": {"email": 7}},
        {"entity": None, "keys": [{"key": "email"}]},
        {"entity": ["email"]},
        # It is shown, but something else bears a mark.
        *(
            {"entity": {"email": "ana@example.com", "more": {"first_name": [mark]}}}
            for mark in ("[REDACTED]", "redacted", "<PII redacted>", "***", "(masked)", "xxxxxx", "•••")
        ),
    ],
)
def test_a_profile_that_lacks_something_is_doubted(data: dict[str, object]) -> None:
    assert is_redacted(data, "email", ANA)

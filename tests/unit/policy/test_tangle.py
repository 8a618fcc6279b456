"""How many identifiers of a profile are beyond a request: numbers, and never one too few by chance of spelling."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from connector.mapping.rules import Rule, TargetRule, compile_rules
from connector.model import Presence
from connector.policy.tangle import TangleRule, is_tangled, most_of, strangers
from connector.private import Private
from connector.sighting import Sighting

ANA = ("email", "ana@example.com")


def sighting(*identifiers: tuple[str, str], presence: Presence = Presence.PRESENT) -> Sighting:
    return Sighting(presence, frozenset((name, Private(value)) for name, value in identifiers))


def counted(seen: Sighting, **own: str) -> Mapping[str, int] | None:
    return strangers(seen, "email", {name: [Private(value)] for name, value in own.items()})


@pytest.mark.parametrize(
    ("identifiers", "own", "expected"),
    [
        ([ANA], {"email": "ana@example.com"}, {}),
        ([ANA], {"email": " ANA@EXAMPLE.COM"}, {}),
        ([("email", "mailto:Ana@example.com"), ANA], {"email": "ana@example.com"}, {}),
        ([ANA, ("phone", "+49 (151) 234567")], {"email": "ana@example.com", "phone": "0049151234567"}, {}),
        ([ANA, ("phone", "1"), ("phone", "2")], {"email": "ana@example.com"}, {"phone": 2}),
        ([ANA, ("email", "bo@example.com"), ("email", "BO@example.com")], {"email": "ana@example.com"}, {"email": 1}),
        ([ANA, ("user_id", "7")], {"email": "ana@example.com", "loyalty_id": "7"}, {"user_id": 1}),
        # The one it was found by is not shown, but others are.
        ([("email", "bo@example.com")], {"email": "ana@example.com"}, {"email": 1}),
        ([], {"email": "ana@example.com"}, None),
        # Others of the request's own are no proof that this one's identifiers can be seen.
        ([("phone", "0049151234567")], {"email": "ana@example.com", "phone": "+49151234567"}, None),
    ],
)
def test_what_is_beyond_a_request(
    identifiers: list[tuple[str, str]], own: dict[str, str], expected: Mapping[str, int] | None
) -> None:
    assert counted(sighting(*identifiers), **own) == expected


def test_only_a_profile_that_is_there_can_be_counted() -> None:
    assert counted(sighting(presence=Presence.ABSENT), email="ana@example.com") == {}
    assert counted(sighting(presence=Presence.UNKNOWN), email="ana@example.com") is None


@pytest.mark.parametrize(
    ("found", "accepted", "held"),
    [
        ({}, {}, False),
        ({"user.email": 2}, {}, False),
        ({"user.email": 3}, {}, True),
        ({"user.email": 2, "user.phone": 2}, {}, False),
        ({"user.email": 3}, {"user.email": 3}, False),
        ({"user.email": 4}, {"user.email": 3}, True),
        ({"user.email": 3, "user.phone": 3}, {"user.email": 9}, True),
        ({"user.email": 2}, {"user.email": 1}, False),
    ],
)
def test_when_a_request_is_held(found: dict[str, int], accepted: dict[str, int], held: bool) -> None:
    assert is_tangled(found, accepted, 2) is held


def test_of_each_field_the_most_counts() -> None:
    assert most_of([{"email": 1, "phone": 5}, {}, {"email": 3}]) == {"email": 3, "phone": 5}


def test_the_fields_are_those_of_the_mapping_or_those_that_are_named() -> None:
    targets = (TargetRule("user", "email", ()), TargetRule("user", "_uid", ()), TargetRule("guest", "code", ()))
    rules = [compile_rules([Rule(("email",), targets)])]
    assert TangleRule(2).watched(rules, "user") == {"email"}
    assert TangleRule(2).watched(rules, "guest") == {"code"}
    assert TangleRule(2, frozenset({"_uid"})).watched(rules, "user") == {"_uid"}

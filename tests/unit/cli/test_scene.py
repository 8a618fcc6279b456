"""The demo's cast and its verdict: every line of the verdict can say no."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from connector.cli.scene import LABELS, ROLES, Person, Verdict, calls_of, cast, judge
from connector.mapping.apply import apply_rules
from connector.mapping.rules import compile_rules
from connector.model import Identity
from connector.private import Private
from tests.acceptance.journey import load_shipped

Snapshot = dict[str, Any]
PEOPLE = cast(100)
SUBTASKS = {one.number: f"subtask-{one.number}" for one in PEOPLE}


class TestCast:
    @pytest.mark.parametrize("callbacks", [20, 50, 500, 2000])
    def test_everybody_is_somebody_and_the_calls_add_up(self, callbacks: int) -> None:
        people = cast(callbacks)
        assert sum(calls_of(one.role) for one in people) == callbacks
        assert [one.number for one in people] == list(range(len(people)))
        assert {one.role.name for one in people} == {role.name for role in ROLES}

    def test_the_shares_are_those_of_the_table(self) -> None:
        counted = Counter(one.role.name for one in cast(500))
        assert counted == {role.name: role.share for role in ROLES}

    def test_no_two_people_share_an_identity(self) -> None:
        values = Counter(pair for one in cast(8000) for pair in one.submitted)
        assert set(values.values()) == {1}

    def test_every_kind_of_identity_is_in_the_play(self) -> None:
        labels = {"email"} | {label for one in PEOPLE for label in one.identifiers}
        assert labels == set(LABELS)

    def test_the_script_spells_identities_as_the_shipped_mapping_does(self) -> None:
        source = load_shipped(()).sources["onetrust"]
        rules = compile_rules([one.rule() for one in source.mapping], source.ignore_kinds, source.default_region)
        for one in PEOPLE:
            given = {"email": one.request["email"]} | one.request["identifiers"]
            result = apply_rules(rules, [Identity(kind, Private(value)) for kind, value in given.items()])
            mapped = {(target.field, target.value.reveal()) for each in result.mapped for target in each.targets}
            if one.role.ends == "COMPLETED":
                assert mapped == one.submitted
            assert bool(result.hold_reason) == (one.role.name == "unusable identity")


def good() -> tuple[Snapshot, Snapshot]:
    """What both fakes hold when everything went as the script says."""
    submitted = [pair for one in PEOPLE for pair in sorted(one.submitted)]
    stay = [one for one in PEOPLE if one.role.known and not one.role.deleted]
    lytics = {
        "profiles": [{"fields": {"email": one.email}} for one in stay],
        "deletions": [{"deleted": sum(one.role.deleted for one in PEOPLE)}],
        "times_submitted": [{"field": name, "value": value, "times": 1} for name, value in submitted],
    }
    deliveries = [
        {"status": one.role.answer, "answer": {"duplicate": bool(place)} if one.role.answer == 202 else "no"}
        for one in PEOPLE
        for place in range(calls_of(one.role))
    ]
    steps = {"COMPLETED": ["IN_PROGRESS", "COMPLETED"], "IN_PROGRESS": ["IN_PROGRESS"], "OPEN": []}
    subtasks = {
        SUBTASKS[one.number]: {
            "status": one.role.ends,
            "history": [{"status": status} for status in steps[one.role.ends]],
        }
        for one in PEOPLE
    }
    return lytics, {"deliveries": deliveries, "subtasks": subtasks}


def verdict_of(lytics: Snapshot, onetrust: Snapshot) -> Verdict:
    return judge(PEOPLE, SUBTASKS, lytics, onetrust)


def first(role: str) -> Person:
    return next(one for one in PEOPLE if one.role.name == role)


def subtask(onetrust: Snapshot, role: str) -> Snapshot:
    found: Snapshot = onetrust["subtasks"][SUBTASKS[first(role).number]]
    return found


def profile_of(one: Person) -> Snapshot:
    return {"fields": {"email": one.email}}


def times_of(lytics: Snapshot, name: str) -> Snapshot:
    """The row of the last value of a field."""
    found: Snapshot = next(one for one in reversed(lytics["times_submitted"]) if one["field"] == name)
    return found


Spoil = Callable[[Snapshot, Snapshot], object]
SPOILED: dict[str, tuple[Spoil, set[str]]] = {
    "a callback was refused": (
        lambda _, onetrust: onetrust["deliveries"][-1].update(status=503, answer="no"),
        {"OneTrust: callbacks accepted"},
    ),
    "a forged callback was taken": (
        lambda _, onetrust: next(one for one in onetrust["deliveries"] if one["status"] == 401).update(status=202),
        {"OneTrust: callbacks accepted", "OneTrust: forged callbacks refused"},
    ),
    "a duplicate was not seen": (
        lambda _, onetrust: next(one for one in onetrust["deliveries"] if one["answer"] == {"duplicate": True}).update(
            answer={"duplicate": False}
        ),
        {"OneTrust: told that it was a duplicate"},
    ),
    "an erasure was not reported": (
        lambda _, onetrust: subtask(onetrust, "good").update(status="IN_PROGRESS", history=[{"status": "IN_PROGRESS"}]),
        {"OneTrust: subtasks COMPLETED", "OneTrust: subtasks IN_PROGRESS", "OneTrust: subtasks in the wrong state"},
    ),
    "an erasure failed": (
        lambda _, onetrust: subtask(onetrust, "good").update(status="FAILED"),
        {"OneTrust: subtasks COMPLETED", "OneTrust: subtasks in the wrong state"},
    ),
    "a held request was completed": (
        lambda _, onetrust: subtask(onetrust, "unusable identity").update(status="COMPLETED"),
        {"OneTrust: subtasks COMPLETED", "OneTrust: subtasks IN_PROGRESS", "OneTrust: subtasks in the wrong state"},
    ),
    "a forged request was taken up": (
        lambda _, onetrust: subtask(onetrust, "tampered").update(status="IN_PROGRESS"),
        {"OneTrust: subtasks OPEN", "OneTrust: subtasks IN_PROGRESS", "OneTrust: subtasks in the wrong state"},
    ),
    "two requests changed places": (
        lambda _, onetrust: (
            subtask(onetrust, "good").update(status="OPEN"),
            subtask(onetrust, "tampered").update(status="COMPLETED"),
        ),
        {"OneTrust: subtasks in the wrong state"},
    ),
    "a request was finished twice": (
        lambda _, onetrust: subtask(onetrust, "good")["history"].append({"status": "COMPLETED"}),
        {"OneTrust: subtasks finished twice"},
    ),
    "somebody is still there": (
        lambda lytics, _: lytics["profiles"].append(profile_of(first("good"))),
        {"Lytics: profiles deleted"},
    ),
    "somebody who had to stay is gone": (
        lambda lytics, _: lytics["profiles"].remove(profile_of(first("tampered"))),
        {"Lytics: profiles that had to stay and did", "Lytics: profiles deleted that had to stay"},
    ),
    "fewer were deleted than there were": (
        lambda lytics, _: lytics["deletions"].append({"deleted": -1}),
        {"Lytics: profiles deleted by its own count"},
    ),
    "an address was not submitted": (
        lambda lytics, _: lytics["times_submitted"].remove(times_of(lytics, "email")),
        {"Lytics: identities submitted"},
    ),
    "a loyalty id was not submitted": (
        lambda lytics, _: lytics["times_submitted"].remove(times_of(lytics, "loyalty_id")),
        {"Lytics: identities submitted"},
    ),
    "a phone number was spelled otherwise": (
        lambda lytics, _: times_of(lytics, "phone").update(value="03023125000"),
        {"Lytics: identities submitted", "Lytics: identities submitted that nobody asked for"},
    ),
    "a value was submitted as another field": (
        lambda lytics, _: times_of(lytics, "loyalty_id").update(field="user_id"),
        {"Lytics: identities submitted", "Lytics: identities submitted that nobody asked for"},
    ),
    "an identity was submitted twice": (
        lambda lytics, _: times_of(lytics, "phone").update(times=2),
        {"Lytics: identities submitted more than once"},
    ),
    "somebody was submitted whom nobody asked for": (
        lambda lytics, _: lytics["times_submitted"].append(
            {"field": "email", "value": first("tampered").email, "times": 1}
        ),
        {"Lytics: identities submitted that nobody asked for"},
    ),
}


class TestVerdict:
    def test_it_agrees_with_a_good_ending(self) -> None:
        verdict = verdict_of(*good())
        assert verdict.agrees
        assert all(found == wanted for _, found, wanted in verdict.lines)

    @pytest.mark.parametrize("what", SPOILED)
    def test_it_disagrees_in_just_the_lines_that_tell(self, what: str) -> None:
        spoil, told = SPOILED[what]
        lytics, onetrust = copy.deepcopy(good())
        spoil(lytics, onetrust)
        verdict = verdict_of(lytics, onetrust)
        assert not verdict.agrees
        assert {line for line, found, wanted in verdict.lines if found != wanted} == told
        assert len(verdict.complaints) == len(told)

    def test_every_line_can_say_no(self) -> None:
        told = set().union(*(lines for _, lines in SPOILED.values()))
        assert told == {line for line, _, _ in verdict_of(*good()).lines}

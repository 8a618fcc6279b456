"""The demo's cast: who asks to be forgotten, how each callback is sent, and what has to be true at the end.

The verdict is read from the two fakes alone, never from our own store.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

LABELS: Final = ("email", "Loyalty ID", "Phone Number", "user_id")
# There are a thousand reserved numbers in Berlin (+49 30 23125 000 to 999), and nobody shares one.
_PHONES: Final = 1000


@dataclass(frozen=True, slots=True)
class Role:
    """A kind of callback.

    Attributes:
        share: how many of 500 callbacks are of this kind.
        known: whether Lytics has a profile.
        knob: what the fake OneTrust does to the call.
        answer: the HTTP status that our receiver has to give.
        ends: the subtask's status at the end.
        deleted: whether the profile has to be gone.
    """

    name: str
    share: int
    known: bool
    knob: str
    answer: int
    ends: str
    deleted: bool


ROLES: Final = (
    Role("good", 360, True, "", 202, "COMPLETED", deleted=True),
    Role("duplicate", 30, True, "duplicate", 202, "COMPLETED", deleted=True),
    Role("unknown person", 30, False, "", 202, "COMPLETED", deleted=False),
    Role("tampered", 30, True, "tampered_body", 401, "OPEN", deleted=False),
    Role("unusable identity", 20, True, "", 202, "IN_PROGRESS", deleted=False),
)


@dataclass(frozen=True, slots=True)
class Person:
    """One made-up person and the callback about them."""

    number: int
    role: Role

    @property
    def email(self) -> str:
        return f"person-{self.number:05d}@example.com"

    @property
    def phone_number(self) -> int | None:
        """The last three digits of the phone number, for every fifth person as long as there are numbers."""
        place, left = divmod(self.number, 5)
        return place if left == 0 and place < _PHONES else None

    @property
    def identifiers(self) -> dict[str, str]:
        others = {}
        if self.number % 3 == 0:
            others["Loyalty ID"] = f"L{self.number:07d}"
        if self.phone_number is not None:
            others["Phone Number"] = f"030 23125 {self.phone_number:03d}"
        if self.role.name == "unusable identity":
            others["user_id"] = "unknown"
        return others

    @property
    def profile(self) -> dict[str, Any]:
        """The profile as Lytics stores it: what our mapping has to find."""
        others = {}
        if "Loyalty ID" in self.identifiers:
            others["loyalty_id"] = self.identifiers["Loyalty ID"]
        return {"table": "user", "field": "email", "value": self.email, "fields": others}

    @property
    def submitted(self) -> set[tuple[str, str]]:
        """The (field, value) pairs that Lytics has to be asked to delete, spelled as the mapping has to spell them."""
        if self.role.ends != "COMPLETED":
            return set()
        pairs = {("email", self.email)}
        if "Loyalty ID" in self.identifiers:
            pairs.add(("loyalty_id", self.identifiers["Loyalty ID"]))
        if self.phone_number is not None:
            pairs.add(("phone", f"+493023125{self.phone_number:03d}"))
        return pairs

    @property
    def request(self) -> dict[str, Any]:
        # Written the way people write: the mapping has to clean it.
        return {"email": f" {self.email.replace('person', 'Person')} ", "identifiers": self.identifiers}


def cast(callbacks: int) -> list[Person]:
    """Return the people behind this many callbacks, all roles in the shares of the table. A duplicate is two calls."""
    total = sum(role.share * calls_of(role) for role in ROLES)
    people: list[Person] = []
    left = callbacks
    for role in ROLES[1:]:
        number = max(1, round(callbacks * role.share / total))
        people += [Person(len(people) + place, role) for place in range(number)]
        left -= number * calls_of(role)
    people += [Person(len(people) + place, ROLES[0]) for place in range(max(0, left))]
    return people


def calls_of(role: Role) -> int:
    """Return how many callbacks one person of this role makes."""
    return 2 if role.knob == "duplicate" else 1


@dataclass(slots=True)
class Verdict:
    """What the fakes say, line by line, and every disagreement with what has to be true."""

    lines: list[tuple[str, int, int]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def compare(self, what: str, found: int, wanted: int) -> None:
        self.lines.append((what, found, wanted))
        if found != wanted:
            self.complaints.append(f"{what}: found {found}, expected {wanted}")

    @property
    def agrees(self) -> bool:
        return not self.complaints


def judge(
    people: Sequence[Person],
    subtask_of: Mapping[int, str],
    lytics: Mapping[str, Any],
    onetrust: Mapping[str, Any],
) -> Verdict:
    """Compare both fakes with the script."""
    verdict = Verdict()
    _judge_answers(verdict, people, onetrust)
    _judge_subtasks(verdict, people, subtask_of, onetrust)
    _judge_profiles(verdict, people, lytics)
    _judge_submissions(verdict, people, lytics)
    return verdict


def _judge_answers(verdict: Verdict, people: Sequence[Person], onetrust: Mapping[str, Any]) -> None:
    answers = Counter(one["status"] for one in onetrust["deliveries"])
    repeats = sum(1 for one in onetrust["deliveries"] if _said_duplicate(one["answer"]))
    for status, what in ((202, "OneTrust: callbacks accepted"), (401, "OneTrust: forged callbacks refused")):
        wanted = sum(calls_of(one.role) for one in people if one.role.answer == status)
        verdict.compare(what, answers[status], wanted)
    verdict.compare(
        "OneTrust: told that it was a duplicate", repeats, sum(1 for one in people if calls_of(one.role) > 1)
    )


def _judge_subtasks(
    verdict: Verdict, people: Sequence[Person], subtask_of: Mapping[int, str], onetrust: Mapping[str, Any]
) -> None:
    subtasks = onetrust["subtasks"]
    found = Counter(subtasks[subtask_of[one.number]]["status"] for one in people)
    wanted = Counter(one.role.ends for one in people)
    for status in ("COMPLETED", "IN_PROGRESS", "OPEN"):
        verdict.compare(f"OneTrust: subtasks {status}", found[status], wanted[status])
    finals = Counter(
        subtask_id
        for subtask_id, one in subtasks.items()
        for entry in one["history"]
        if entry["status"] != "IN_PROGRESS"
    )
    verdict.compare("OneTrust: subtasks finished twice", sum(1 for times in finals.values() if times > 1), 0)
    wrong = [one for one in people if subtasks[subtask_of[one.number]]["status"] != one.role.ends]
    verdict.compare("OneTrust: subtasks in the wrong state", len(wrong), 0)


def _judge_profiles(verdict: Verdict, people: Sequence[Person], lytics: Mapping[str, Any]) -> None:
    left = {one["fields"].get("email") for one in lytics["profiles"]}
    wanted = {one.email for one in people if one.role.known and not one.role.deleted}
    deleted = {one.email for one in people if one.role.deleted}
    verdict.compare("Lytics: profiles deleted", len(deleted - left), len(deleted))
    verdict.compare("Lytics: profiles that had to stay and did", len(wanted & left), len(wanted))
    verdict.compare("Lytics: profiles deleted that had to stay", len(wanted - left), 0)
    removed = sum(one["deleted"] for one in lytics["deletions"])
    verdict.compare("Lytics: profiles deleted by its own count", removed, len(deleted))


def _judge_submissions(verdict: Verdict, people: Sequence[Person], lytics: Mapping[str, Any]) -> None:
    times = {(one["field"], one["value"]): one["times"] for one in lytics["times_submitted"]}
    wanted = set().union(*(one.submitted for one in people))
    verdict.compare("Lytics: identities submitted", len(wanted & set(times)), len(wanted))
    verdict.compare("Lytics: identities submitted more than once", sum(1 for one in times.values() if one > 1), 0)
    verdict.compare("Lytics: identities submitted that nobody asked for", len(set(times) - wanted), 0)


def _said_duplicate(answer: object) -> bool:
    return isinstance(answer, dict) and answer.get("duplicate") is True

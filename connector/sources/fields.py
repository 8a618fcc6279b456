"""Typed access to untrusted JSON, shared by all sources.

Bodies come from hand-written templates: absent values arrive as empty strings, numbers and booleans as text, and a
typing error leaves a placeholder standing. A refusal names the field, never its value, and carries no foreign
exception, because a JSON or Unicode error holds the whole body.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final, NoReturn

from connector.codes import Code
from connector.errors import Rejected

MAX_TEXT_CHARS: Final = 200
MAX_WORDS: Final = 50

# An id has fewer digits; Python's own limit is far higher and can be switched off.
_MAX_INT_CHARS: Final = 40
_NO_VALUE: Final = frozenset({"", "null", "undefined"})
# FreeMarker's interpolations and directives, and the double braces of other template languages.
_UNRENDERED: Final = re.compile(r"\$\{|#\{[^}]*\}|</?#[a-z]|\{\{[^{}]*\}\}")
# Control characters and lone surrogates: no id has them, and not every database stores them.
_UNSTORABLE: Final = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\ud800-\\udfff]")
# ISO 8601 with an offset; a time without one is not guessed.
_MOMENT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]{1,9})?)?([Zz]|[+-][0-9]{2}:?[0-9]{2})"
)
_COUNTRY: Final = re.compile(r"[A-Za-z]{2}")


@dataclass(slots=True)
class Field:
    """One value of a body under the name by which refusals call it."""

    name: str
    value: object = field(repr=False)

    @property
    def is_missing(self) -> bool:
        """Whether it says nothing: null, or text that is empty, `null` or `undefined` apart from blanks and case."""
        value = self.value
        if isinstance(value, str):
            return value.strip().casefold() in _NO_VALUE
        return value is None

    def invalid(self, expected: str) -> Rejected:
        """Return the refusal to raise: `expected` completes "must be …"."""
        return Rejected(Code.FIELD_INVALID, f"{self.name} must be {expected}")

    def text(self, limit: int = MAX_TEXT_CHARS) -> str:
        """Return text without the blanks around it, at most `limit` characters."""
        if not isinstance(self.value, str):
            raise self.invalid("text")
        text = self.value.strip()
        if ("{" in text or "<" in text) and _UNRENDERED.search(text) is not None:
            raise Rejected(Code.TEMPLATE_UNRENDERED, self.name)
        if len(text) > limit:
            raise self.invalid(f"at most {limit} characters long")
        if not text.isprintable() and _UNSTORABLE.search(text) is not None:
            raise self.invalid("text without control characters and half characters")
        return text

    def scalar(self, limit: int = MAX_TEXT_CHARS) -> str:
        """Return text as `text` does; a whole number in decimal digits, a boolean as JSON writes it.

        A fraction is refused: 1e3 or 0.10 have no single spelling that could name anybody.
        """
        if isinstance(self.value, bool):
            return str(self.value).lower()
        if isinstance(self.value, int):
            return str(self.value)
        if not isinstance(self.value, str):
            raise self.invalid("text or a whole number")
        return self.text(limit)

    def boolean(self) -> bool:
        """Return true or false, given as such or as text."""
        if isinstance(self.value, bool):
            return self.value
        word = self.text().casefold()
        if word not in ("true", "false"):
            raise self.invalid("true or false")
        return word == "true"

    def words(self) -> tuple[str, ...]:
        """Return the distinct entries of a list, or of one string with commas, in order; empty ones are left out."""
        if isinstance(self.value, list):
            given = [Field(self.name, one) for one in self.value]
        else:
            given = [Field(self.name, one) for one in self.text(MAX_WORDS * MAX_TEXT_CHARS).split(",")]
        words = tuple(dict.fromkeys(one.text() for one in given if not one.is_missing))
        if len(words) > MAX_WORDS:
            raise self.invalid(f"at most {MAX_WORDS} entries long")
        return words

    def moment(self) -> datetime:
        """Return a date and time with an offset (`Z`, `+0000`, `+01:00`) as aware UTC."""
        text = self.text()
        if _MOMENT.fullmatch(text) is not None:
            try:
                return datetime.fromisoformat(text.upper()).astimezone(UTC)
            except (ValueError, OverflowError):
                pass
        raise self.invalid("a date and time with an offset, such as 2026-12-01T11:00:00.000Z")

    def country(self) -> str:
        """Return an ISO 3166-1 alpha-2 code in upper case."""
        text = self.text()
        if _COUNTRY.fullmatch(text) is None:
            raise self.invalid("a country code of two letters")
        return text.upper()

    def members(self) -> Mapping[str, object]:
        """Return the members of an object."""
        if isinstance(self.value, str):
            self.text(len(self.value))  # a placeholder in place of the object is said as such
        if not isinstance(self.value, dict):
            raise self.invalid("an object")
        return self.value


@cache
def _folded_name(name: str) -> str:
    # Names under which a program asks, not names that came in.
    return name.casefold()


class Fields:
    """The members of one object by name, without regard to case; members that say nothing count as absent."""

    def __init__(self, members: Mapping[str, object]) -> None:
        self._values: dict[str, list[object]] = {}
        for name, value in members.items():
            self._values.setdefault(name.casefold(), []).append(value)

    def each(self, *names: str) -> list[Field]:
        """Return every field given under one of the names, in the order of the names."""
        given = self._values
        found = [Field(name, value) for name in names for value in given.get(_folded_name(name), ())]
        return [one for one in found if not one.is_missing] if found else found

    def one(self, *names: str) -> Field | None:
        """Return the field given under one of the names; given several times, all have to hold the same plain value.

        Raises:
            Rejected: `field_invalid` if two of them differ by more than case and blanks.
        """
        found = self.each(*names)
        for other in found[1:]:
            if _folded(other.value) != _folded(found[0].value):
                raise other.invalid(f"the same as {found[0].name}, where both are given")
        return found[0] if found else None


def read_object(payload: bytes) -> Fields:
    """Read one JSON object, whose members are then known by name; `Rejected` as with `read_members`."""
    return Fields(read_members(payload))


def read_members(payload: bytes) -> dict[str, Any]:
    """Read one JSON object in UTF-8 (RFC 8259) as it is.

    Raises:
        Rejected: `body_unreadable` (also for NaN, huge numbers and nesting too deep to read), `body_duplicate_key` at
            any depth, `body_not_an_object`.
    """
    readable, value = _read(payload)
    if not readable:
        raise Rejected(Code.BODY_UNREADABLE)
    if not isinstance(value, dict):
        raise Rejected(Code.BODY_NOT_AN_OBJECT)
    return value


def _read(payload: bytes) -> tuple[bool, Any]:
    """Return whether the payload could be read, and what it says.

    The refusal is raised outside the handler: as its context, the foreign exception would keep the body alive.
    """
    try:
        return True, json.loads(
            payload.decode(), object_pairs_hook=_without_duplicates, parse_constant=_refuse, parse_int=_whole_number
        )
    except (ValueError, RecursionError):
        return False, None


def _without_duplicates(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise Rejected(Code.BODY_DUPLICATE_KEY)
        members[name] = value
    return members


def _refuse(_constant: str) -> NoReturn:
    raise ValueError("not JSON")


def _whole_number(digits: str) -> int:
    if len(digits) > _MAX_INT_CHARS:
        raise ValueError("too long for an id")
    return int(digits)


def _folded(value: object) -> object:
    if isinstance(value, str):
        return value.strip().casefold()
    # Lists and objects count as different: comparing them follows their nesting, which the sender chooses.
    return value if isinstance(value, int | float) else id(value)

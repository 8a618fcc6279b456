"""Texts and JSON bodies with placeholders, checked once and filled for each reply or report.

`{name}` stands for a value. Where a text is one placeholder and nothing else, a truth value stays one, `{name:number}`
writes a whole number as such, and without a value the member that holds it is left out. A brace itself is doubled.
"""

from __future__ import annotations

import math
import re
import string
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

from connector.codes import Code
from connector.errors import Misconfigured

#: What a placeholder may stand for; None and a missing name are the same.
Values: TypeAlias = Mapping[str, str | bool | None]
Json: TypeAlias = "str | bool | int | float | Sequence[Json] | Mapping[str, Json] | None"

#: What the body of a report may name beside the source's own ids, and what its path may.
REPORT_NAMES: Final = frozenset({"job_id", "status", "comment", "time"})
PATH_NAMES: Final = frozenset({"job_id"})
NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,39}")
_NUMBER: Final = "number"
_DIGITS: Final = re.compile(r"-?(0|[1-9][0-9]{0,17})")


class _Nothing:
    """Stands for a member that is left out."""


_NOTHING: Final = _Nothing()


@dataclass(frozen=True, slots=True)
class Text:
    """A checked text.

    Attributes:
        start: what stands before the first placeholder.
        slots: each placeholder, whether it is a number, and what stands behind it.
    """

    start: str
    slots: tuple[tuple[str, bool, str], ...]

    @classmethod
    def read(cls, text: str, names: Collection[str]) -> Text:
        """Read a text that may hold these placeholders; `Misconfigured` if it holds others."""
        start, slots = "", list[tuple[str, bool, str]]()
        try:
            parsed = list(string.Formatter().parse(text))
        except ValueError:
            raise _wrong("a brace is not closed, or not doubled") from None
        for literal, name, kind, conversion in parsed:
            if slots:
                slots[-1] = (*slots[-1][:2], slots[-1][2] + literal)
            else:
                start += literal
            if name is None:
                continue
            if name not in names or conversion or kind not in ("", _NUMBER):
                raise _wrong(f"the placeholders here are {', '.join(f'{{{one}}}' for one in sorted(names)) or 'none'}")
            slots.append((name, kind == _NUMBER, ""))
        if any(number for _, number, _ in slots) and (start or len(slots) > 1 or slots[0][2]):
            raise _wrong("a placeholder with :number has to be the whole text")
        return cls(start, tuple(slots))

    def fill(self, values: Values) -> str:
        """Return the text; a value that is missing leaves nothing."""
        return self.start + "".join(_written(values.get(name)) + behind for name, _, behind in self.slots)

    def lacks(self, values: Values) -> str:
        """Return the first placeholder without a value; empty if each has one."""
        return next((name for name, _, _ in self.slots if not _written(values.get(name))), "")

    def member(self, values: Values) -> object:
        """Return the text as a value of a JSON body."""
        if self.start or len(self.slots) != 1 or self.slots[0][2]:
            return self.fill(values)
        name, number, _ = self.slots[0]
        value = values.get(name)
        if value is None or value == "":
            return _NOTHING
        if number and isinstance(value, str) and _DIGITS.fullmatch(value):
            return int(value)
        return value


@dataclass(frozen=True, slots=True)
class Body:
    """A checked JSON body: its tree, with every text as `Text`."""

    tree: object

    @classmethod
    def read(cls, tree: Json, names: Collection[str]) -> Body:
        """Read a body; `Misconfigured` for an unknown placeholder, or inf and nan. Names of members hold none."""
        return cls(_read(tree, names))

    def fill(self, values: Values) -> object:
        """Return the body as plain JSON values."""
        return _filled(self.tree, values)


def _read(tree: Json, names: Collection[str]) -> object:
    if isinstance(tree, str):
        return Text.read(tree, names)
    if isinstance(tree, Mapping):
        return {name: _read(inner, names) for name, inner in tree.items()}
    if isinstance(tree, Sequence):
        return [_read(inner, names) for inner in tree]
    if isinstance(tree, float) and not math.isfinite(tree):
        raise _wrong("inf and nan cannot be written in JSON")
    return tree


def _filled(tree: object, values: Values) -> object:
    if isinstance(tree, Text):
        return tree.member(values)
    if isinstance(tree, dict):
        members = {name: _filled(inner, values) for name, inner in tree.items()}
        return {name: one for name, one in members.items() if one is not _NOTHING}
    if isinstance(tree, list):
        return [one for one in (_filled(inner, values) for inner in tree) if one is not _NOTHING]
    return tree


def _written(value: str | bool | None) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return value or ""


def _wrong(why: str) -> Misconfigured:
    return Misconfigured(Code.CONFIG_INVALID, why)

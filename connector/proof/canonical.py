"""Canonical JSON (RFC 8785): one form in bytes for every value, so that a changed byte is a changed value.

Reading is as strict as writing: bytes that are not the canonical form of what they say are refused. That settles names
that come twice, spaces, spellings of numbers and of characters at once.
"""

from __future__ import annotations

import json
from typing import Any, NoReturn

import rfc8785

from connector.proof.verdict import Flaw, Refuted

# Deeper than anything that we write, and far from what a reader's stack bears.
_MOST_LEVELS = 32


def write(value: Any) -> bytes:
    """Return the canonical form of plain data.

    Raises:
        ValueError: the value has none, such as a number beyond 2**53 or a text that is not Unicode.
    """
    return rfc8785.dumps(value)


def read(data: bytes) -> Any:
    """Return what the bytes say.

    Raises:
        Refuted: they are not the canonical form of anything.
    """
    try:
        if _levels(data) > _MOST_LEVELS:
            raise Refuted(Flaw.NOT_CANONICAL, "nested too deeply")
        value = json.loads(data.decode(), parse_constant=_no_number)
        canonical = write(value)
    except (ValueError, RecursionError):
        raise Refuted(Flaw.NOT_CANONICAL, "no canonical JSON") from None
    if canonical != data:
        raise Refuted(Flaw.NOT_CANONICAL, "JSON, but not in its canonical form")
    return value


def read_object(data: bytes) -> dict[str, Any]:
    """Return the object that the bytes say; raises `Refuted` for anything else."""
    value = read(data)
    if not isinstance(value, dict):
        raise Refuted(Flaw.NOT_CANONICAL, "no JSON object")
    return value


def _levels(data: bytes) -> int:
    """Return how deeply brackets are nested at most; those within texts count too, which only makes it stricter."""
    deepest = level = 0
    for byte in data:
        if byte in b"[{":
            level += 1
            deepest = max(deepest, level)
        elif byte in b"]}":
            level -= 1
    return deepest


def _no_number(_word: str) -> NoReturn:
    raise ValueError

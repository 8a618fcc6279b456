"""JSON pointers (RFC 6901): a path into a JSON value."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

#: What is not there. JSON's own null is a value.
NOTHING: Final = object()

_POINTER: Final = re.compile(r"(?:/(?:[^~/]|~[01])*)*")
_INDEX: Final = re.compile(r"0|[1-9][0-9]{0,8}")


def is_pointer(text: str) -> bool:
    """Say whether a text is a JSON pointer; the empty one names the whole document."""
    return _POINTER.fullmatch(text) is not None


def tokens_of(pointer: str) -> tuple[str, ...]:
    """Return the names and positions on the way, with `~1` and `~0` read, in this order (RFC 6901 section 4)."""
    return tuple(token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:])


def position(token: str) -> int | None:
    """Return the position in a list that a token stands for; None if it can only be a name."""
    return int(token) if _INDEX.fullmatch(token) else None


def walk(document: object, tokens: Iterable[str]) -> object:
    """Return what stands at the end of the way, or `NOTHING`."""
    for token in tokens:
        if isinstance(document, dict):
            document = document.get(token, NOTHING)
        elif isinstance(document, list) and (at := position(token)) is not None and at < len(document):
            document = document[at]
        else:
            return NOTHING
    return document


def at_pointer(document: object, pointer: str) -> object:
    """Return what a JSON pointer names, or `NOTHING`."""
    return walk(document, tokens_of(pointer))

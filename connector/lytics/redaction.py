"""Whether a profile seems to lack its personal fields, as for a token without the right to see them. Pure.

Lytics documents that such fields are redacted (Granular Permissions), and not how that looks. Two signs are taken for
it: a value that reads as a mark, and a profile that does not show the very value by which it was found. A doubt costs a
person a look; a redacted answer to an access request that nobody noticed would be a wrong one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from connector.private import Private

_MARK: Final = re.compile(r"[\W_]*(pii[\W_]*)?(redacted|masked|obfuscated)[\W_]*|\*{3,}|[xX]{6,}|•{3,}", re.IGNORECASE)


def is_redacted(data: Any, field: str, value: Private) -> bool:
    """Say whether an identity object seems to be redacted.

    Args:
        data: what the look-up answered; the profile is its `entity`, or all of it in the older shape.
        field: the field by which it was found.
    """
    entity = data.get("entity", data)
    if not isinstance(entity, dict):
        return True
    asked = _folded(value.reveal())
    if not any(_folded(one) == asked for one in _texts(entity.get(field))):
        return True
    return any(_MARK.fullmatch(one.strip()) for one in _texts(entity))


def _texts(part: Any) -> Iterator[str]:
    """Return every scalar inside as text; of a map also its names, because a set of identifiers may be kept as one."""
    waiting = [part]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.values(), *one]
        elif isinstance(one, list):
            waiting += one
        elif one is not None:
            yield str(one)


def _folded(text: str) -> str:
    return text.strip().casefold()

"""The answer to an access request as one readable document: every profile, and which identity found which. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from connector.private import Private

FORMAT: Final = "consent-connector-access/v1"
REDACTION: Final = (
    "At least one profile lacks personal fields: Lytics hid them from the connector's token. This answer is incomplete."
)


@dataclass(frozen=True, slots=True)
class Find:
    """What one look-up found.

    Attributes:
        kind, value: the identity as the source says it.
        place: the account, table and field in which it was looked for.
        content: the profile as JSON; None if there was none.
    """

    kind: str
    value: Private
    place: tuple[str, str, str]
    content: Private | None
    is_redacted: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """The document, its digest, its size in bytes of UTF-8, and how many profiles are in it."""

    text: Private
    sha256: str
    size: int
    profiles: int


def merge(ids: Mapping[str, str], finds: Sequence[Find], made_at: datetime) -> Document:
    """Return the document. A profile that several identities found stands in it once.

    Args:
        ids: the source's ids and ours, by name.
    """
    numbers: dict[Private, int] = {}
    in_order = sorted(finds, key=lambda one: (one.kind, one.value.reveal(), one.place))
    for one in in_order:
        if one.content is not None:
            numbers.setdefault(one.content, len(numbers) + 1)
    body = {
        "format": FORMAT,
        "ids": {name: value for name, value in ids.items() if value},
        "made_at": f"{made_at:%Y-%m-%dT%H:%M:%SZ}",
        "warnings": [REDACTION] if any(one.is_redacted for one in finds) else [],
        "look_ups": [_look_up(one, numbers) for one in in_order],
        "profiles": [
            {"number": number, "content": json.loads(content.reveal())} for content, number in numbers.items()
        ],
    }
    content = encoded(json.dumps(body, ensure_ascii=False, indent=2) + "\n")
    return Document(Private(content.decode()), hashlib.sha256(content).hexdigest(), len(content), len(numbers))


def encoded(text: str) -> bytes:
    """Return text of JSON as UTF-8. Half a surrogate pair, which JSON may hold and UTF-8 may not, stays an escape."""
    return text.encode("utf-8", "backslashreplace")


def _look_up(one: Find, numbers: Mapping[Private, int]) -> dict[str, Any]:
    account, table, field = one.place
    return {
        "identity": {"kind": one.kind, "value": one.value.reveal()},
        "looked_up_in": {"account": account, "table": table, "field": field},
        "profile": numbers[one.content] if one.content is not None else None,
    }

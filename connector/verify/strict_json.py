"""JSON as a check reads it: text that has one meaning, or nothing.

A name that stands twice, `NaN`, a number beyond the range or bytes that are not UTF-8 are read differently by different
programs, so that one of them could check what another does not use (RFC 8725 section 2.4, RFC 7493). None of it is read
here, and nothing is raised for it.
"""

from __future__ import annotations

import hmac
import json
import math
from typing import NoReturn

from connector.pointer import NOTHING


def read_json(data: bytes) -> object:
    """Return the value that UTF-8 bytes hold, or `NOTHING`."""
    try:
        return json.loads(data.decode(), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except (ValueError, RecursionError):  # errors of decoding and of JSON are ValueErrors
        return NOTHING


def read_object(data: bytes) -> dict[str, object] | None:
    """Return the object that UTF-8 bytes hold, or None."""
    value = read_json(data)
    return value if isinstance(value, dict) else None


def is_same(left: object, right: object) -> bool:
    """Compare two JSON values in constant time: `true` is not 1, 1 is not 1.0, the order of members does not matter."""
    try:
        one, other = (json.dumps(value, sort_keys=True).encode() for value in (left, right))
    except (TypeError, ValueError, RecursionError):
        return False
    return hmac.compare_digest(one, other)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _refuse(_: str) -> NoReturn:
    raise ValueError


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError
    return value

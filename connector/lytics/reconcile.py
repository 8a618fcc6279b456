"""A bulk answer, value by value: accepted, refused or unconfirmed. A 202 alone says nothing about any value."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

from connector.codes import Code
from connector.errors import Misconfigured, Refused
from connector.lytics.wire import clean
from connector.model import SubmitAnswer
from connector.private import Private

_MAX_REASON: Final = 200
_MAX_TEXT: Final = 4000
_SHORT: Final = 3
_REASON_KEYS: Final = ("message", "error", "reason")
_MAIL: Final = re.compile(r"[^\s\"'<>]+(?:@|%40)[^\s\"'<>]+")
_NUMBER: Final = re.compile(r"\+?[0-9](?:[ ()./-]?[0-9]){5,}")
_PERMISSION: Final = re.compile(
    r"permission|forbidden|not authori[sz]ed|unauthori[sz]ed|access denied", flags=re.IGNORECASE
)


def require_values(values: Sequence[Private]) -> None:
    """Refuse an empty call here: what Lytics would make of one is not documented."""
    if not values:
        raise Refused(Code.REMOTE_REFUSED, "a deletion without values; nothing was sent")


def reconcile(
    values: Sequence[Private], successes: object, errors: object, *, correlation_id: str = ""
) -> SubmitAnswer:
    """Sort the values sent by what the two maps of an answer say about each.

    A key matches exactly first; what is left matches once more with both sides trimmed and in lower case, in case the
    server repeats a normalised value. Never by position. Listed in both maps counts as refused.

    Raises:
        Misconfigured: every value was refused for one and the same reason, which speaks of a permission: that is the
            token's fault and no person's.
    """
    queued, reasons = _map(successes), _map(errors)
    keys_of = _matches([value.reveal() for value in values], queued.keys() | reasons.keys())
    accepted: dict[Private, str] = {}
    refused: dict[Private, str] = {}
    contradictory = 0
    for value in values:
        keys = keys_of.get(value.reveal(), ())
        ids = {one.strip() for key in keys if isinstance(one := queued.get(key), str) and one.strip()}
        entry = next((key for key in keys if key in reasons), None)
        if entry is not None:
            refused[value] = reason_of(reasons[entry], value.reveal())
            contradictory += bool(ids)
        elif len(ids) == 1:
            accepted[value] = ids.pop()
    if len(refused) == len(values) and not contradictory:
        _check_permission(set(refused.values()))
    meant = {key for keys in keys_of.values() for key in keys}
    return SubmitAnswer(
        accepted=accepted,
        refused=refused,
        unconfirmed=frozenset(values).difference(accepted, refused),
        contradictory=contradictory,
        foreign=len((queued.keys() | reasons.keys()) - meant),
        correlation_id=correlation_id,
    )


def _map(given: object) -> Mapping[str, Any]:
    return given if isinstance(given, dict) else {}


def _matches(sent: Sequence[str], keys: set[str]) -> dict[str, tuple[str, ...]]:
    """Return for each value sent the keys of the answer that mean it."""
    found: dict[str, tuple[str, ...]] = {text: (text,) for text in sent if text in keys}
    left: dict[str, list[str]] = {}
    for key in sorted(keys - found.keys()):
        left.setdefault(_fold(key), []).append(key)
    for text in sent:
        if text not in found and (alike := left.get(_fold(text))):
            found[text] = tuple(alike)
    return found


def _fold(text: str) -> str:
    return text.strip().lower()


def _check_permission(reasons: set[str]) -> None:
    if len(reasons) == 1 and _PERMISSION.search(next(iter(reasons))):
        raise Misconfigured(
            Code.PERMISSION_MISSING, "every value was refused for a missing permission; deleting needs Entity: Delete"
        )


def reason_of(entry: object, value: str) -> str:
    """Return the vendor's reason for refusing a value, without the value, cut to 200 characters."""
    if isinstance(entry, dict):
        entry = next((entry[key] for key in _REASON_KEYS if isinstance(entry.get(key), str) and entry[key]), entry)
    text = entry if isinstance(entry, str) else json.dumps(entry, separators=(",", ":"))
    if len(text) > _MAX_TEXT:
        return "a reason too long to be shown"
    return scrub(text, value)[:_MAX_REASON] or "no reason given"


def scrub(text: str, value: str) -> str:
    """Take out the value in all its usual spellings, and whatever looks like an address or a long number."""
    bare = value.strip().strip("\"'")
    forms = {value, bare, json.dumps(value)[1:-1], json.dumps(bare)[1:-1]}
    forms |= {quote(form.encode(errors="replace"), safe="") for form in (value, bare)}
    for form in sorted(filter(None, forms), key=len, reverse=True):
        edge = r"\b" if len(form) < _SHORT and form.isalnum() else ""
        text = re.sub(f"{edge}{re.escape(form)}{edge}", "<value>", text, flags=re.IGNORECASE)
    return clean(_NUMBER.sub("<number>", _MAIL.sub("<value>", text)))

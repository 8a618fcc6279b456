"""Is somebody there? The look-up of one value, and what its answers can and cannot tell.

`ABSENT` ends a deletion, so it is said only on Lytics' own word about the value. Everything else that is not a profile
is `UNKNOWN`, and a wrong table or account is an operator's matter: it would make everybody look absent.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Any

from connector.errors import Temporary
from connector.lytics.client import LyticsClient, Purpose, name_fault
from connector.lytics.redaction import is_redacted
from connector.lytics.wire import fault_of, object_of, unreadable
from connector.model import Presence
from connector.outbound import Answer
from connector.private import Private
from connector.profile import Profile
from connector.sighting import Sighting

_NOT_FOUND = 404


class LookUpCall(StrEnum):
    """Which of the two documented calls is made."""

    POST = "post"  # the value travels in the body
    GET = "get"  # the value travels in the URL, and so in other people's access logs


class LookUp:
    """Fulfils `ports.Profiles` and `ports.ProfileReader`."""

    def __init__(self, client: LyticsClient, call: LookUpCall = LookUpCall.POST) -> None:
        self._client = client
        self._call = call

    def look_up(self, table: str, field: str, value: Private) -> Presence:
        return self._look(table, field, value)[0]

    def look_closely(self, table: str, field: str, value: Private, fields: Collection[str]) -> Sighting:
        presence, answer = self._look(table, field, value)
        return Sighting(
            presence, frozenset(_identifiers(answer, fields)) if presence is Presence.PRESENT else frozenset()
        )

    def read(self, table: str, field: str, value: Private) -> Profile | None:
        """Return everything that Lytics answers about a value.

        An answer that tells neither a profile nor its absence raises `Temporary`: "no data held" is said only on
        Lytics' own word, and the older API's filler for an unknown person is not taken for a profile.
        """
        presence, answer = self._look(table, field, value)
        if presence is Presence.UNKNOWN:
            raise unreadable(f"status {answer.status}, a look-up that tells neither a profile nor its absence")
        if presence is Presence.ABSENT:
            return None
        data = object_of(answer)["data"]
        return Profile(Private(json.dumps(data, sort_keys=True)), is_redacted(data, field, value))

    def _look(self, table: str, field: str, value: Private) -> tuple[Presence, Answer]:
        text = value.reveal()
        if self._call is LookUpCall.GET:
            answer = self._ask("GET", table, field, text)
        else:
            # Specification and vendor tools disagree about `key` and `field`: both are sent.
            answer = self._ask("POST", "lookup", body={"table": table, "key": field, "field": field, "value": text})
        return (_missing(answer) if answer.status == _NOT_FOUND else _found(answer)), answer

    def _ask(self, method: str, *path: str, body: object = None) -> Answer:
        return self._client.call(Purpose.LOOK_UP, method, "identity", *path, json=body, accept=(_NOT_FOUND,))


def _missing(answer: Answer) -> Presence:
    fault = fault_of(answer)
    if (wrong := name_fault(fault)) is not None:
        raise wrong
    return Presence.ABSENT if fault.is_v2 else Presence.UNKNOWN


def _found(answer: Answer) -> Presence:
    try:
        body = object_of(answer)
    except Temporary:
        return Presence.UNKNOWN
    data = body.get("data")
    message = str(body.get("message", "")).strip().lower()
    if _is_placeholder(data):
        # The older API answers 200 with this for an unknown person, but also when it ran out of time.
        return Presence.UNKNOWN if "timed out" in message else Presence.ABSENT
    if isinstance(data, dict) and any(data.values()):
        return Presence.PRESENT
    return Presence.ABSENT if message == "not found" else Presence.UNKNOWN


def _identifiers(answer: Answer, fields: Collection[str]) -> Iterator[tuple[str, Private]]:
    """Give the identifiers of a profile in some fields, wherever they stand.

    The profile's own fields may hold the latest value alone; its keys, and those of its fragments, hold them all.
    """
    data = object_of(answer)["data"]
    fragments = data.get("fragments")
    for part in (data, *(fragments if isinstance(fragments, list) else [])):
        keys = part.get("keys") if isinstance(part, dict) else None
        for one in keys if isinstance(keys, list) else []:
            name = one.get("key") if isinstance(one, dict) else None
            if isinstance(name, str) and name in fields:
                yield from ((name, text) for text in _texts(one.get("value")))
    # The older API has no `entity`: the profile itself is the answer.
    entity = data.get("entity", data)
    for name in fields if isinstance(entity, dict) else ():
        yield from ((name, text) for text in _texts(entity.get(name)))


def _texts(value: Any) -> Iterator[Private]:
    """Give the texts and whole numbers in a value, which may be one or a list or, with their counts, a map of them."""
    if isinstance(value, list | dict):
        for one in value:
            if not isinstance(one, list | dict):
                yield from _texts(one)
    elif isinstance(value, str | int) and not isinstance(value, bool) and value != "":
        yield Private(str(value))


def _is_placeholder(data: Any) -> bool:
    """Say whether `data` is the older API's filler: nothing but the segment `not_found`."""
    if not isinstance(data, dict) or set(data) != {"segments"}:
        return False
    segments = data["segments"]
    return isinstance(segments, list) and "not_found" in segments

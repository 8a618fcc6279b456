"""Reads the payloads of a platform by its description. A refusal names the setting, and never what was found there.

What a description does not name is not read.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final
from urllib.parse import parse_qsl

from connector.codes import Code
from connector.dialect.description import DeadlineUnit, Description, PayloadKind
from connector.dialect.place import Place
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.model import Call, Identity, Purpose
from connector.private import Private
from connector.sources.fields import Field, read_members

MAX_IDENTITIES: Final = 100
#: The store gives a request's key 200 characters.
MAX_ID_CHARS: Final = 160
MAX_VALUE_CHARS: Final = 4096
MAX_KIND_CHARS: Final = 100
MAX_URL_CHARS: Final = 2048
MAX_FORM_FIELDS: Final = 1000

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
# Deadlines lie within these years; a number beyond them is in another unit than the settings say.
_FIRST_YEAR: Final = 2000
_LAST_YEAR: Final = 2100
_UNITS: Final = {
    DeadlineUnit.UNIX_SECONDS: timedelta(seconds=1),
    DeadlineUnit.UNIX_MILLISECONDS: timedelta(milliseconds=1),
}
_MAX_DIGITS: Final = 15


@dataclass(frozen=True, slots=True)
class GenericSource:
    """The dialect of one described source."""

    description: Description

    def parse(self, payload: bytes, inbound: Inbound) -> Call:
        """Read a delivery.

        Raises:
            Rejected: 400 if the payload cannot be read; 422 if what stands in a named place cannot be used.
        """
        said = _Said(_members(payload, self.description.payload), inbound)
        purpose = self._purpose(said)
        if purpose is not Purpose.REQUEST:
            return Call("", None, self._external(said), (), (), purpose=purpose)
        request_id = self._request_id(said)
        event_id = said.one(self.description.event_id, "event_id")
        deadline = said.one(self.description.deadline, "deadline")
        country = said.one(self.description.country, "country")
        test = said.one(self.description.test, "test")
        callback_url = said.one(self.description.callback_url, "callback_url")
        call = Call(
            request_key=f"request:{request_id}" if request_id else "",
            event_id=_id(event_id) if event_id else None,
            external=self._external(said),
            request_types=self._request_types(said),
            identities=self._identities(said),
            due_at=self._moment(deadline) if deadline else None,
            country=country.country() if country else None,
            is_test=test.boolean() if test else False,
            callback_url=Private(callback_url.text(MAX_URL_CHARS)) if callback_url else None,
        )
        if self.description.require_identity and not call.identities:
            raise Rejected(Code.IDENTITY_MISSING)
        return call

    def _purpose(self, said: _Said) -> Purpose:
        ping = said.one(self.description.ping, "ping")
        # A request that is taken for one is lost, and its sender told that all is well: 0 is refused, and no guess.
        if ping is not None and ping.boolean():
            return Purpose.PING
        if self.description.when is not None and not _holds(said.one(self.description.when, "when")):
            return Purpose.OTHER
        return Purpose.REQUEST

    def _request_id(self, said: _Said) -> str:
        if self.description.request_id is None:
            return ""
        found = said.one(self.description.request_id, "request_id")
        if found is None:
            raise Rejected(Code.REQUEST_ID_MISSING, "nothing stands where request_id points")
        return _id(found)

    def _external(self, said: _Said) -> dict[str, str]:
        places = {**self.description.kept}
        if self.description.request_id is not None:
            places["request_id"] = self.description.request_id
        found = {name: said.one(place, name) for name, place in places.items()}
        return {name: one.scalar() for name, one in found.items() if one is not None}

    def _request_types(self, said: _Said) -> tuple[str, ...]:
        """Return the types; a request without one is refused, because an unknown one must not delete anybody."""
        if self.description.request_type is None:
            return ()
        found = said.one(self.description.request_type, "type")
        given = said.several(found, "type")
        if not given:
            raise Field("type", None).invalid("given: only a known type says that this is an erasure")
        return tuple(dict.fromkeys(one.scalar() for one in given))

    def _identities(self, said: _Said) -> tuple[Identity, ...]:
        """Return each (kind, value) once; a kind is the same in any case, and keeps its first spelling."""
        distinct: dict[tuple[str, str], Identity] = {}
        for kind, given in self._given_identities(said):
            value = given.scalar(MAX_VALUE_CHARS)
            distinct.setdefault((kind.casefold(), value), Identity(kind, Private(value)))
            if len(distinct) > MAX_IDENTITIES:
                raise Field("identities", None).invalid(f"at most {MAX_IDENTITIES}")
        return tuple(distinct.values())

    def _given_identities(self, said: _Said) -> Iterator[tuple[str, Field]]:
        for number, one in enumerate(self.description.identities):
            name = f"identities[{number}]"
            for value in said.several(said.one(one.at, name), name):
                yield one.kind, value
        labelled = said.one(self.description.identities_by_label, "identities_by_label")
        if labelled is None:
            return
        for position, (label, member) in enumerate(labelled.members().items(), start=1):
            kind = Field(f"the label of identity {position}", label).text(MAX_KIND_CHARS)
            name = f"identity {position} of identities_by_label"
            values = said.several(Field(name, member), name)
            if values and not kind:
                raise labelled.invalid("an object whose every member has a name")
            for value in values:
                yield kind, value

    def _moment(self, deadline: Field) -> datetime:
        unit = _UNITS.get(self.description.deadline_unit)
        if unit is None:
            return deadline.moment()
        digits = deadline.scalar()
        moment = None
        if digits.isascii() and digits.isdigit() and len(digits) <= _MAX_DIGITS:
            try:
                moment = _EPOCH + int(digits) * unit
            except OverflowError:
                moment = None
        if moment is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
            raise deadline.invalid(f"a time in {self.description.deadline_unit.replace('_', ' ')}")
        return moment


@dataclass(frozen=True, slots=True)
class _Said:
    """One payload and what it came in."""

    payload: object
    inbound: Inbound

    def one(self, place: Place | None, name: str) -> Field | None:
        """Return what stands in a place; None for what says nothing, which includes a condition that did not hold."""
        if place is None:
            return None
        found = Field(name, place.find(self.payload, self.inbound, name))
        return None if _says_nothing(found) else found

    def several(self, found: Field | None, name: str) -> list[Field]:
        """Return the entries of a list that say something, or the one value."""
        if found is None:
            return []
        given = found.value if isinstance(found.value, list) else [found.value]
        fields = [Field(name, one) for one in given]
        fields = [one for one in fields if not _says_nothing(one)]
        for one in fields:
            if isinstance(one.value, bool):
                raise one.invalid("text or a whole number")
        return fields


def _id(found: Field) -> str:
    if isinstance(found.value, bool):
        raise found.invalid("text or a whole number")
    return found.scalar(MAX_ID_CHARS)


def _holds(condition: Field | None) -> bool:
    """Say whether a condition is true: as JMESPath has it, except that the text `false` is not."""
    if condition is None:
        return False
    return not isinstance(condition.value, str) or condition.value.strip().casefold() != "false"


def _says_nothing(found: Field) -> bool:
    # `condition && value` is false in JMESPath where the condition does not hold.
    return found.is_missing or found.value is False or found.value in ([], {})


def _members(payload: bytes, kind: PayloadKind) -> object:
    return read_members(payload) if kind is PayloadKind.JSON else _form(payload)


def _form(payload: bytes) -> dict[str, str | list[str]]:
    """Read a form as browsers send it (WHATWG URL, application/x-www-form-urlencoded); a repeated name gives a list."""
    readable, pairs = _pairs(payload)
    if not readable:
        raise Rejected(Code.BODY_UNREADABLE, "a form in UTF-8 is expected")
    members: dict[str, str | list[str]] = {}
    for name, value in pairs:
        earlier = members.get(name)
        if earlier is None:
            members[name] = value
        else:
            members[name] = [*earlier, value] if isinstance(earlier, list) else [earlier, value]
    return members


def _pairs(payload: bytes) -> tuple[bool, list[tuple[str, str]]]:
    # The refusal is raised outside the handler: a Unicode error holds the whole body.
    try:
        return True, parse_qsl(
            payload.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FORM_FIELDS
        )
    except ValueError:
        return False, []

"""The callback of a OneTrust integration workflow, by the body contract that this product publishes.

OneTrust fixes no body: the workflow's author writes a template. So well-known spellings of a name are accepted, and ids
are told apart by their shape: OneTrust's API documents a request's reference as 10 characters A-Z and 0-9, and request
and subtask ids as UUIDs. Names of persons and fields unknown to the contract are not read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from connector.codes import Code
from connector.errors import Rejected
from connector.inbound import Inbound
from connector.model import Call, Identity, Purpose
from connector.private import Private
from connector.sources.fields import Field, Fields, read_object

SCHEMA: Final = "consent-connector/v1"
# "Data Subject Profile Updated", the one event of the consent modules whose shape is public.
_CONSENT_EVENT: Final = "3010"
MAX_IDENTITIES: Final = 100
MAX_VALUE_CHARS: Final = 4096
MAX_KIND_CHARS: Final = 100

_SUBTASK_NAMES: Final = ("subTaskId", "subTaskGuid", "subtask_id")
# Authors put a reference where the id belongs and the other way round; the shape decides.
_REQUEST_NAMES: Final = (
    "requestQueueRefId",
    "requestRefId",
    "refId",
    "requestId",
    "requestQueueId",
    "requestQueueGuid",
)
# Spellings of one thing, the person's address. Two different ones may be a person and their agent.
_EMAIL_NAMES: Final = ("dataSubjectEmail", "requesterEmail", "email")

_REFERENCE: Final = re.compile(r"[A-Z0-9]{10}")
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
# A default that templates fall back to: it would make one request of all.
_NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"
# Labels that may be shown in a refusal. Others could be a value on the wrong side of the colon.
_PLAIN_LABEL: Final = re.compile(r"(?!.*[0-9]{4})[A-Za-z][A-Za-z0-9 _-]{0,39}")


@dataclass(frozen=True, slots=True)
class OneTrustSource:
    """The dialect of one configured OneTrust source.

    Attributes:
        require_identity: False where the identifiers may be read back from OneTrust afterwards.
    """

    require_identity: bool = True

    def parse(self, payload: bytes, inbound: Inbound | None = None) -> Call:  # noqa: ARG002 - the protocol's shape
        """Read a callback; all that it says stands in the payload.

        Raises:
            Rejected: 400 if the body is no JSON object; 422 if a field of the contract cannot be used.
        """
        fields = read_object(payload)
        if _is_about_consent(fields):
            # Nothing of it is kept, the password and the magic link that it may hold least of all.
            return Call("", None, {}, (), (), purpose=Purpose.OTHER)
        _require_our_event(fields)
        external = _external_ids(fields)
        keys = request_keys(external)
        if not keys:
            raise Rejected(Code.REQUEST_ID_MISSING)
        event_id = fields.one("eventId")
        request_types = fields.one("requestTypes", "requestType")
        deadline = fields.one("deadline")
        country = fields.one("countryCode")
        test_request = fields.one("testRequest")
        call = Call(
            request_key=keys[0],
            event_id=event_id.scalar() if event_id else None,
            external=external,
            request_types=request_types.words() if request_types else (),
            identities=_identities(fields),
            due_at=deadline.moment() if deadline else None,
            country=country.country() if country else None,
            is_test=test_request.boolean() if test_request else False,
        )
        if self.require_identity and not call.identities:
            raise Rejected(Code.IDENTITY_MISSING)
        return call


def _is_about_consent(fields: Fields) -> bool:
    """Say whether this is an event of the consent modules, which reach us by the same workflows.

    A withdrawal of consent is not an erasure: it is answered, and deletes nobody. One that names a subtask or a request
    is not taken for one, or a request would be lost.
    """
    event, kind = fields.one("event"), fields.one("eventType")
    named = event is not None and event.text().casefold().startswith("consent.")
    numbered = kind is not None and kind.scalar() == _CONSENT_EVENT
    return (named or numbered) and not fields.each(*_REQUEST_NAMES, *_SUBTASK_NAMES)


def _require_our_event(fields: Fields) -> None:
    schema = fields.one("schema")
    if schema is not None and schema.text() != SCHEMA:
        raise schema.invalid(f"{SCHEMA}, or left out")
    event = fields.one("event")
    if event is not None and not event.text().casefold().startswith("dsar."):
        raise event.invalid("a dsar event, such as dsar.subtask.created")


def _external_ids(fields: Fields) -> dict[str, str]:
    found: dict[str, str] = {}
    for given in fields.each(*_REQUEST_NAMES):
        text = given.text()
        if _REFERENCE.fullmatch(text) is not None:
            _note(found, "request_ref", text, given)
        else:
            _note(found, "request_id", _uuid(given, "a reference of 10 characters A-Z and 0-9, or a UUID"), given)
    for given in fields.each(*_SUBTASK_NAMES):
        subtask_id = _uuid(given, "a UUID")
        if subtask_id == found.get("request_id"):
            raise given.invalid("the id of the subtask, not that of the request")
        _note(found, "subtask_id", subtask_id, given)
    return found


def _uuid(given: Field, expected: str) -> str:
    text = given.text()
    if _UUID.fullmatch(text) is None or text == _NIL_UUID:
        raise given.invalid(expected)
    return text.lower()


def _note(found: dict[str, str], key: str, value: str, given: Field) -> None:
    if found.setdefault(key, value) != value:
        raise given.invalid("the same id in all its spellings")


def request_keys(external: Mapping[str, str]) -> tuple[str, ...]:
    """Return what decides a duplicate: the subtask, else the request, which further identifiers then join."""
    names = (("subtask", "subtask_id"), ("request", "request_ref"))
    return tuple(f"{word}:{external[name]}" for word, name in names if name in external)


def _identities(fields: Fields) -> tuple[Identity, ...]:
    """Return each (kind, value) once; a kind is the same in any case, and keeps its first spelling."""
    distinct: dict[tuple[str, str], Identity] = {}
    for kind, value in _given_identities(fields):
        distinct.setdefault((kind.casefold(), value), Identity(kind, Private(value)))
    if len(distinct) > MAX_IDENTITIES:
        raise Field("identifiers", None).invalid(f"at most {MAX_IDENTITIES} identifiers")
    return tuple(distinct.values())


def _given_identities(fields: Fields) -> Iterator[tuple[str, str]]:
    labelled = fields.one("identifiers")
    if labelled is not None:
        for position, (label, value) in enumerate(labelled.members().items(), start=1):
            kind = Field(f"the label of identifier {position}", label).text(MAX_KIND_CHARS)
            if not kind:
                raise labelled.invalid("an object whose every identifier has a label")
            given = Field(_shown(kind, position), value)
            if not given.is_missing:
                yield kind, given.scalar(MAX_VALUE_CHARS)
    address = fields.one(*_EMAIL_NAMES)
    if address is not None:
        yield "email", address.scalar(MAX_VALUE_CHARS)
    identifier = fields.one("identifier")
    if identifier is not None:
        text = identifier.scalar(MAX_VALUE_CHARS)
        yield "email" if "@" in text else "identifier", text


def _shown(kind: str, position: int) -> str:
    return f"identifiers.{kind}" if _PLAIN_LABEL.fullmatch(kind) is not None else f"identifier {position}"

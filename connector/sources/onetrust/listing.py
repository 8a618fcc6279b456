"""What OneTrust itself lists for a request: read with our own credential, before anything is deleted.

A callback says only what a workflow's author let it say, and whoever holds its secret can make one. So ids, types,
stage and identifiers are taken from the subtask and the request as OneTrust tells them (vendor pages: Get Subtask, Get
Request by Reference ID). The form's answers come twice: as a map, and as JSON text that is known to garble characters.
The map is preferred.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from connector.codes import Code
from connector.errors import Refused, Rejected, Temporary
from connector.model import Identity, Listing
from connector.private import Private
from connector.sources.fields import Field, Fields
from connector.sources.onetrust.api import OPEN, OneTrustApi, Subtask, is_reference, is_uuid, normalised
from connector.sources.onetrust.parse import request_keys

MAX_VALUE_CHARS: Final = 4096
MAX_KIND_CHARS: Final = 100
MAX_ANSWERS: Final = 500
#: The kind under which a request's own address is known, as in a callback.
EMAIL: Final = "email"


class OneTrustListing:
    """Fulfils `ports.ReadBack`.

    Args:
        subtask_name: the exact name that our subtask has to bear; empty if any will do.
        workflow_id: the integration workflow that it has to belong to; empty if any will do.
    """

    def __init__(self, api: OneTrustApi, *, subtask_name: str = "", workflow_id: str = "") -> None:
        self._api = api
        self._subtask_name = subtask_name
        self._workflow_id = workflow_id.lower()

    def read(self, external: Mapping[str, str]) -> Listing:
        """Read a request by the ids that a callback gave.

        Raises:
            NotFound: OneTrust does not list it, or not yet.
            Refused: the ids do not belong together, nothing tells which subtask is ours, or the form is too large.
            Misconfigured: credential, scope or organization.
            Temporary: worth another try, also for an answer that cannot be read.
        """
        request_ref = external.get("request_ref", "")
        subtask = self._subtask(external.get("subtask_id", ""), request_ref)
        ref = subtask.request_ref or request_ref
        if not is_reference(ref):
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a subtask without the reference of its request")
        return self._listing(subtask, ref, external.get("request_id", ""), self._api.request(ref))

    def _subtask(self, subtask_id: str, request_ref: str) -> Subtask:
        if subtask_id:
            if not is_uuid(subtask_id):
                raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask id is not a UUID")
            found = self._api.subtask(subtask_id, request_ref)
            if not self._is_ours(found):
                raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask is of another name, kind or workflow")
            return found
        if not self._subtask_name or not is_reference(request_ref):
            raise Refused(
                Code.SUBTASK_NOT_IDENTIFIED, "neither a subtask id, nor a request's reference and subtask_name"
            )
        listed = [one for one in self._api.subtasks_of(request_ref) if self._is_ours(one)]
        ours = listed if len(listed) == 1 else [one for one in listed if one.status in OPEN]
        if len(ours) != 1:
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, f"{len(listed)} subtasks may be ours, {len(ours)} of them open")
        return ours[0]

    def _is_ours(self, one: Subtask) -> bool:
        named = not self._subtask_name or one.name == self._subtask_name
        # A list does not tell the workflow; the single call does.
        return (
            one.is_a_systems and named and (not self._workflow_id or one.workflow_id.lower() in ("", self._workflow_id))
        )

    def _listing(self, subtask: Subtask, ref: str, request_id: str, body: Mapping[str, Any]) -> Listing:
        fields = Fields(body)
        said_ref, said_id = _text(fields, "requestQueueRefId"), _text(fields, "requestQueueId").lower()
        if said_ref != ref or _differs(said_id, request_id) or _differs(said_id, subtask.request_id):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "subtask and request do not belong together")
        stage = _text(fields, "status")
        if not stage:
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a request without a stage")
        legal = body.get("legalDeadLineInfo")
        address, no_address = _address(fields)
        answers, unreadable = _answers(body)
        external = {"request_ref": ref, "subtask_id": subtask.id.lower()}
        return Listing(
            external=external | ({"request_id": said_id} if said_id else {}),
            request_keys=request_keys(external),
            request_types=_words(fields, "requestTypes"),
            identities=address,
            answers=answers,
            unreadable=no_address + unreadable,
            stage=normalised(stage),
            is_open=subtask.status in OPEN,
            due_at=_moment(fields, "deadline"),
            country=_country(fields),
            is_test=isinstance(legal, Mapping) and str(legal.get("testRequest")).strip().casefold() == "true",
        )


def _differs(known: str, other: str) -> bool:
    return bool(known and other) and known.lower() != other.lower()


def _address(fields: Fields) -> tuple[tuple[Identity, ...], tuple[str, ...]]:
    """Return the request's own e-mail address, and its label if it is there and no usable text."""
    given = _one(fields, "email")
    if given is None:
        return (), ()
    if not isinstance(given.value, str):
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "email of a request")
    try:
        return (Identity(EMAIL, Private(given.text(MAX_VALUE_CHARS))),), ()
    except Rejected:
        return (), (EMAIL,)


def _answers(body: Mapping[str, Any]) -> tuple[tuple[Identity, ...], tuple[str, ...]]:
    """Return what stands in the form, by its labels, and the labels of what is no plain value.

    An answer may have several values. One that says nothing, or whose label no rule could name, is left out.
    """
    given = body.get("requestAdditionalData")
    if not isinstance(given, Mapping) or not given:
        given = _map_of(body.get("additionalData"))
    found, unreadable = [], []
    for label, value in ((label.strip(), value) for label, value in given.items()):
        if not 0 < len(label) <= MAX_KIND_CHARS:
            continue
        for one in (Field("an answer of the form", each) for each in (value if isinstance(value, list) else [value])):
            if one.is_missing:
                continue
            try:
                found.append(Identity(label, Private(one.scalar(MAX_VALUE_CHARS))))
            except Rejected:
                unreadable.append(label)
    if len(found) > MAX_ANSWERS:
        raise Refused(Code.REMOTE_ANSWER_UNREADABLE, f"a form with more than {MAX_ANSWERS} answers")
    return tuple(found), tuple(unreadable)


def _map_of(text: object) -> Mapping[str, Any]:
    if not isinstance(text, str) or not text.strip():
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "the form's answers cannot be read")
    return found


def _one(fields: Fields, name: str) -> Field | None:
    """Return a member of a request; what is not as documented makes the whole answer unreadable."""
    try:
        return fields.one(name)
    except Rejected:
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, f"{name} of a request") from None


def _text(fields: Fields, name: str) -> str:
    given = _one(fields, name)
    return given.value.strip() if given is not None and isinstance(given.value, str) else ""


def _words(fields: Fields, name: str) -> tuple[str, ...]:
    given = _one(fields, name)
    if given is None:
        return ()
    try:
        # Two types come packed into one text, or each by itself.
        return tuple(dict.fromkeys(word for one in given.words() for word in Field(name, one).words()))
    except Rejected:
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, f"{name} of a request") from None


def _moment(fields: Fields, name: str) -> datetime | None:
    """Return a time; None also for one that cannot be read, which then does not decide anything."""
    given = _one(fields, name)
    try:
        return given.moment() if given is not None else None
    except Rejected:
        return None


def _country(fields: Fields) -> str | None:
    given = _one(fields, "countryCode")
    try:
        return given.country() if given is not None else None
    except Rejected:
        return None

"""One Lytics account over HTTP: token, account id, and what each answer's status means for us.

The token goes into the header as it is, and never into a URL. No path comes from configuration: only the calls that
this package writes out can be made.
"""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, auto
from http import HTTPStatus
from typing import Final

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, Refused, Temporary
from connector.lytics.wire import Fault, fault_of
from connector.outbound import Answer, Client, path_of
from connector.private import Secret

# A 404 with one of these concerns our own settings, and says nothing about a person or an operation.
NAME_FAULTS: Final = {
    "TABLE-NOTFOUND-009": "the table",
    "SCHEMA-NOTFOUND-010": "the table's schema",
    "ACCOUNT-NOTFOUND-021": "the account_id, or the token cannot reach it",
}
_RETRYABLE: Final = frozenset({408, 425})


class Purpose(Enum):
    """What a call is for, which decides what a missing route means."""

    SUBMIT = auto()
    FOLLOW = auto()
    LOOK_UP = auto()


_NEEDS: Final = {
    Purpose.SUBMIT: "deleting needs Entity: Delete",
    Purpose.FOLLOW: "following deletions needs Entity: Delete",
    Purpose.LOOK_UP: "looking up needs the right to view profiles",
}


class LyticsClient:
    """Makes calls for one account and translates every answer that is not a success.

    Args:
        http: a client for the account's base URL.
        token: the raw API token, without `Bearer`.
        account_id: sent with every call when set; a status asked in the wrong account would look like "not found".

    Raises:
        Misconfigured: the token starts with `Bearer`.
    """

    def __init__(self, http: Client, token: Secret, *, account_id: str = "") -> None:
        if token.reveal().lower().startswith("bearer "):
            raise Misconfigured(
                Code.TOKEN_REFUSED, f"{token!r} starts with Bearer; Lytics takes the token itself, without that word"
            )
        self._http = http
        self._token = token
        self._params = {"account_id": account_id} if account_id else {}

    def call(
        self, purpose: Purpose, method: str, *segments: str, json: object = None, accept: Collection[int] = ()
    ) -> Answer:
        """Call `/v2/<segments>` and return a 2xx answer, or one whose status is in `accept`.

        Args:
            segments: not yet encoded.
            json: the body.

        Raises:
            ConnectorError: any of the tree, with the vendor's code and correlation id but never its message.
        """
        path = path_of("v2", *segments)
        headers = {"Authorization": self._token.reveal()}
        try:
            answer = self._http.request(method, path, headers=headers, params=self._params, json=json)
        except Refused as redirect:
            # Some other server stands there: no answer about values, operations or persons, and everything waits.
            if purpose is Purpose.SUBMIT:
                raise Misconfigured(Code.DELETION_API_NOT_ANSWERED, f"{redirect.detail}; check base_url") from None
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, f"{redirect.detail}; check base_url") from None
        if 200 <= answer.status < 300 or answer.status in accept:  # noqa: PLR2004 - the successes
            return answer
        raise _error(answer, purpose, has_body=method == "DELETE" and json is not None)


def name_fault(fault: Fault) -> Misconfigured | None:
    """Return the error that a 404 means when it concerns our own settings."""
    if fault.code not in NAME_FAULTS:
        return None
    return Misconfigured(Code.REMOTE_NAME_UNKNOWN, f"{NAME_FAULTS[fault.code]} ({fault.code})")


def _error(answer: Answer, purpose: Purpose, *, has_body: bool) -> ConnectorError:
    status, fault = answer.status, fault_of(answer)
    told = f"status {status}"
    if fault.code:
        told += f", code {fault.code}"
    if fault.correlation_id:
        told += f", correlation id {fault.correlation_id}"
    if status == HTTPStatus.UNAUTHORIZED:
        return Misconfigured(Code.TOKEN_REFUSED, told + (", the token has expired" if fault.says_expired else ""))
    if status == HTTPStatus.FORBIDDEN:
        return Misconfigured(Code.PERMISSION_MISSING, f"{told}; {_NEEDS[purpose]}")
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):
        return _missing(status, fault, purpose, told)
    if status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return Refused(Code.REMOTE_TOO_LARGE, told)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRYABLE:
        return Temporary(Code.REMOTE_FAULT, told, outcome_unknown=True)
    hint = "; a proxy may be removing the body of DELETE calls" if has_body and status == HTTPStatus.BAD_REQUEST else ""
    return Refused(Code.REMOTE_REFUSED, told + hint)


def _missing(status: int, fault: Fault, purpose: Purpose, told: str) -> ConnectorError:
    wrong = name_fault(fault)
    # No table is named when an operation is followed: then its path was read as a look-up in a table, by an account
    # that does not answer this deletion API.
    misread = purpose is Purpose.FOLLOW and wrong is not None and not fault.code.startswith("ACCOUNT")
    if wrong is not None and not misread:
        return wrong
    not_allowed = status == HTTPStatus.METHOD_NOT_ALLOWED
    if misread or purpose is Purpose.SUBMIT or (purpose is Purpose.FOLLOW and not_allowed):
        return Misconfigured(Code.DELETION_API_NOT_ANSWERED, told)
    if not_allowed:
        return Refused(Code.REMOTE_REFUSED, told)
    if not fault.is_json:
        return Temporary(Code.REMOTE_ANSWER_UNREADABLE, f"{told}, not from Lytics but from something on the way")
    return NotFound(Code.REMOTE_NOT_FOUND, told)

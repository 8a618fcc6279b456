"""Lytics' JSON as typed values, tolerant where the vendor's pages are silent or disagree, and strict about success.

Nothing here guesses in favour of a deletion: an answer that does not say "finished" in every way it says anything is
running, and text of the vendor's leaves only with what may be personal taken out.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from connector.codes import Code
from connector.errors import Temporary
from connector.model import RemoteOperation, RemoteState, RemoteStatus
from connector.outbound import Answer, json_of

_MAX_ID: Final = 255
_MAX_WORD: Final = 40
_ID_KEYS: Final = ("request_id", "requestId", "id", "delete_request_id")
_OPERATION_KEYS: Final = ("request_id", "requestId")
_TOP_ID_KEYS: Final = ("request_id", "requestId", "id")
_LIST_KEYS: Final = ("requests", "items", "results", "list", "deletes")
_TIME_KEYS: Final = ("submitted", "submitted_at", "requested_at", "created", "created_at")
_REQUESTED_KEYS: Final = ("requested", "profiles_requested", "total", "count")
_DELETED_KEYS: Final = ("deleted", "profiles_deleted", "completed_count", "succeeded")
_FAILED_KEYS: Final = ("failed", "errors")
_CODE: Final = re.compile(r"[A-Z]{2,20}(-[A-Z]{2,20})*-[0-9]{3}")
_CORRELATION: Final = re.compile(r"[A-Za-z0-9_.:-]{1,80}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]+")
# Before it, a time is a filler such as the year 1.
_EPOCH: Final = datetime(2000, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Fault:
    """What an error answer says.

    Attributes:
        code: the vendor's own code such as `BADREQ-001`, or empty.
        correlation_id: the HTTP call's id for the vendor's support, or empty.
        is_json: whether Lytics itself seems to have answered: an object in the v2 or the v1 shape.
        is_v2: whether it is the v2 shape.
        says_expired: whether the message speaks of an expired token.
    """

    code: str
    correlation_id: str
    is_json: bool
    is_v2: bool
    says_expired: bool


def fault_of(answer: Answer) -> Fault:
    """Read an error answer: v2, v1, or anything. The message itself is not kept: it may repeat an identity."""
    try:
        body = json_of(answer)
    except Temporary:
        body = None
    if not isinstance(body, dict):
        return Fault("", "", is_json=False, is_v2=False, says_expired=False)
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = first.get("code")
    message = first.get("message") or body.get("message") or body.get("error")
    is_v2 = isinstance(errors, list) or isinstance(body.get("request_id"), str)
    return Fault(
        code if isinstance(code, str) and _CODE.fullmatch(code) else "",
        correlation_id(body),
        is_json=is_v2 or "message" in body or "status" in body,
        is_v2=is_v2,
        says_expired=isinstance(message, str) and "expired" in message.lower(),
    )


def object_of(answer: Answer) -> dict[str, Any]:
    """Parse an answer that must be a JSON object; `Temporary` with an unknown outcome if it is none."""
    body = json_of(answer)
    if not isinstance(body, dict):
        raise unreadable(f"status {answer.status}, JSON that is not an object")
    return body


def unreadable(detail: str) -> Temporary:
    return Temporary(Code.REMOTE_ANSWER_UNREADABLE, detail, outcome_unknown=True)


def correlation_id(body: Mapping[str, Any]) -> str:
    """Return the id of the HTTP call, which is not the id of a deletion; empty if it has none that may be shown."""
    given = body.get("request_id")
    return given if isinstance(given, str) and _CORRELATION.fullmatch(given) else ""


def operation_id(body: Mapping[str, Any], *, at_top: bool) -> str:
    """Return the id of the deletion that an answer names, or nothing.

    It stands inside `data`. Only with `at_top`, and only if `data` is absent or empty, is the top level read: there
    `request_id` is normally the id of the HTTP call. A `data` that is null says that there is none.
    """
    data = body.get("data", {})
    if isinstance(data, str) and data.strip():
        return _id(data)
    if isinstance(data, dict) and (found := _first_id(data, _ID_KEYS)):
        return found
    return _first_id(body, _TOP_ID_KEYS) if at_top and data is not None and not data else ""


def _first_id(item: Mapping[str, Any], keys: tuple[str, ...]) -> str:
    return next((found for key in keys if (found := _id(item.get(key)))), "")


def _id(value: object) -> str:
    text = value.strip() if isinstance(value, str) else ""
    return text if len(text) <= _MAX_ID else ""


def followed(body: Mapping[str, Any], remote_id: str, words: Mapping[str, RemoteState]) -> RemoteStatus:
    """Read the answer to a question about one operation; `Temporary` if it speaks of another one or does not tell."""
    # Only what stands inside `data`: the `status` beside it is the HTTP number.
    item = body.get("data", body)
    named = _first_id(item, _OPERATION_KEYS) if isinstance(item, dict) and "data" in body else ""
    if named and named != remote_id:
        raise unreadable("the status of another operation")
    return _status_of(item, words)


def _status_of(item: object, words: Mapping[str, RemoteState]) -> RemoteStatus:
    """Read one operation. A flag `completed` (v1: `complete`), where there is one, has to agree with the word."""
    if not isinstance(item, dict):
        raise unreadable("a status that is not an object")
    word = next((clean(item[key]) for key in ("status", "state") if isinstance(item.get(key), str)), "")
    flag = next((item[key] for key in ("completed", "complete") if isinstance(item.get(key), bool)), None)
    state = words.get(re.sub(r"[\s-]+", "_", word.lower()))
    if not word and (state is None or flag is None):
        raise unreadable("a status without a state")
    if flag is not None and flag is not (state is RemoteState.FINISHED):
        state = RemoteState.RUNNING
    requested, deleted = _count(item, _REQUESTED_KEYS), _count(item, _DELETED_KEYS)
    failed = _count(item, _FAILED_KEYS)
    if deleted is None and requested is not None and failed is not None:
        deleted = max(requested - failed, 0)
    return RemoteStatus(state or RemoteState.RUNNING, word[:_MAX_WORD], requested, deleted)


def _count(item: Mapping[str, Any], keys: tuple[str, ...]) -> int | None:
    """Return the first count. In some answers `requested` is text and `completed` a flag, so types are checked."""
    numbers = (item.get(key) for key in keys)
    return next((one for one in numbers if isinstance(one, int) and not isinstance(one, bool) and one >= 0), None)


def operations_of(body: Mapping[str, Any], words: Mapping[str, RemoteState]) -> list[RemoteOperation]:
    """Read a list of operations: an array, one wrapped under a usual name, or a map from id to operation.

    Raises:
        Temporary: the shape is another one. An entry that cannot be read must not count as absent.
    """
    data = body.get("data", body)
    if isinstance(data, dict) and (key := next((key for key in _LIST_KEYS if key in data), None)) is not None:
        data = data[key]
    if isinstance(data, dict) and data is not body and all(isinstance(item, dict) for item in data.values()):
        data = [{"request_id": name, **item} for name, item in data.items()]
    # An empty list is often written as null.
    if data is not None and not isinstance(data, list):
        raise unreadable("a list of operations in an unknown shape")
    return [_operation(item, words) for item in data or ()]


def _operation(item: object, words: Mapping[str, RemoteState]) -> RemoteOperation:
    remote_id = _first_id(item, _ID_KEYS) if isinstance(item, dict) else ""
    if not isinstance(item, dict) or not remote_id:
        raise unreadable("an operation without an id")
    moment = next((found for key in _TIME_KEYS if (found := _moment(item.get(key))) is not None), None)
    try:
        status = _status_of(item, words)
    except Temporary:
        # It exists, which is what a list is read for; its own status call will tell the rest.
        status = RemoteStatus(RemoteState.RUNNING, "")
    return RemoteOperation(remote_id, status, moment)


def _moment(value: object) -> datetime | None:
    """Read a time with its zone; the format is not published, so anything else says nothing."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None
    if moment is None or moment.tzinfo is None or moment < _EPOCH:
        return None
    return moment.astimezone(UTC)


def clean(text: str) -> str:
    """Replace control characters by a blank."""
    return _CONTROL.sub(" ", text).strip()

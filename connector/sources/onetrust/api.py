"""OneTrust's REST API for data subject requests, as far as we use it (vendor page: Data Subject Request Automation).

Everything read here is untyped and inconsistent by the vendor's own description: lists come as a page or a bare array,
the same field has two names, and a status three spellings. It is made plain here, once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, Refused, Temporary
from connector.outbound import Answer, Client, FilePart, json_of, path_of
from connector.sources.onetrust.token import TokenSource

_PAGE_SIZE: Final = 50
_LONG_PAGE_SIZE: Final = 100
_MAX_PAGES: Final = 40
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_REF: Final = re.compile(r"[A-Z0-9]{10}")
#: In which of the tenant's languages names and labels are asked for.
LANGUAGE: Final = "en-us"
# Somebody ended the work on it.
CLOSED: Final = frozenset({"COMPLETED", "REJECTED", "DELETED"})
# Ours to move. `FAILED` is open: the workflow may fail a step that goes well in the end. Everything else, as
# `READY_FOR_REVIEW` and words nobody published, is in somebody else's hands.
OPEN: Final = frozenset({"OPEN", "ASSIGNED", "UNASSIGNED", "IN_PROGRESS", "PROCESSING", "NOT_RUN", "FAILED"})


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def is_reference(text: str) -> bool:
    return _REF.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class Subtask:
    """A subtask, as the single call or a list tells it; what is not told is empty.

    Attributes:
        status, kind: as `normalised` writes them.
        request_ref, request_id: of the request that it belongs to.
        stage: the request's stage to which it was added.
        is_required: whether the request cannot leave its stage before it is ended; true unless told otherwise.
    """

    id: str
    name: str
    status: str
    request_ref: str = ""
    request_id: str = ""
    workflow_id: str = ""
    kind: str = ""
    stage: str = ""
    is_required: bool = True

    @property
    def is_a_systems(self) -> bool:
        """Whether it is a task for a system, as far as is told; the others are for people."""
        return self.kind in ("", "SYSTEM_TASK", "SYSTEM")


class OneTrustApi:
    """The calls. All of them raise the same errors.

    Args:
        http: a client for the tenant's host.
        tokens: for the same host.

    Raises:
        Refused: the call is refused, or what comes back is another subtask or request than the one asked for.
        NotFound: OneTrust does not know the request or the subtask.
        Misconfigured: credential, scope or organization.
        Temporary: worth another try.
    """

    def __init__(self, http: Client, tokens: TokenSource) -> None:
        self._http = http
        self._tokens = tokens

    def subtask(self, subtask_id: str, request_ref: str = "") -> Subtask:
        """Read one subtask (Get Subtask).

        Args:
            request_ref: the request that it has to belong to, if known.
        """
        path = path_of("api", "datasubject", "v2", "subtasks", subtask_id)
        found = _subtask(json_of(self.call("GET", path)))
        elsewhere = request_ref and found.request_ref and found.request_ref != request_ref
        if found.id.lower() != subtask_id.lower() or elsewhere:
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask belongs to another request")
        return found

    def subtasks_of(self, request_ref: str) -> list[Subtask]:
        """List the subtasks of a request (Get Subtasks of a Request)."""
        path = path_of("api", "datasubject", "v2", "requestqueues", request_ref, "subtasks")
        found: dict[str, Subtask] = {}
        for page in range(_MAX_PAGES):
            body = json_of(self.call("GET", path, params={"page": str(page), "size": str(_PAGE_SIZE)}))
            items = items_of(body)
            known = len(found)
            found |= {one.id: one for one in map(_subtask, items)}
            # A server that ignores the page number would repeat itself for ever.
            if len(found) == known or _is_last(body, page, len(items), _PAGE_SIZE):
                return list(found.values())
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a list of subtasks without an end")

    def filtered_subtasks(self, filters: Mapping[str, object], page: int) -> tuple[list[Subtask], bool]:
        """Return one page of the subtasks that meet the filters, and whether it is the last (Get List of Subtasks)."""
        path = path_of("api", "datasubject", "v3", "subtasks")
        chosen = {"page": str(page), "size": str(_LONG_PAGE_SIZE), "sort": "subtaskDateUpdated,asc"}
        body = json_of(self.call("POST", path, params=chosen, json=dict(filters)))
        items = items_of(body)
        return [_subtask(one) for one in items], _is_last(body, page, len(items), _LONG_PAGE_SIZE)

    def request(self, request_ref: str) -> Mapping[str, Any]:
        """Read one request as it is (Get Request by Reference ID)."""
        path = path_of("api", "datasubject", "v2", "requestqueues", request_ref, "language", LANGUAGE)
        body = json_of(self.call("GET", path))
        if not isinstance(body, dict):
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a request in an unknown shape")
        return body

    def set_status(self, subtask_id: str, body: Mapping[str, str]) -> Answer:
        """Set a subtask's state (Update Subtask Status); 409 is the caller's to decide."""
        path = path_of("api", "datasubject", "v2", "subtasks", subtask_id, "status")
        return self.send("PUT", path, json=dict(body))

    def complete(self, subtask_id: str, body: Mapping[str, object]) -> Answer:
        """Complete a subtask (Complete Subtask); whatever is answered is the caller's to decide."""
        path = path_of("api", "datasubject", "v2", "subtasks", subtask_id, "complete")
        return self.send("PUT", path, json=dict(body))

    def call(self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: object = None) -> Answer:
        """Make a call and return its answer, which is a success."""
        return require_success(self.send(method, path, params=params, json=json))

    def send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        json: object = None,
        multipart: Mapping[str, str | FilePart] | None = None,
    ) -> Answer:
        """Call with the token in use, and once more with a new one if it is refused; return whatever is answered."""
        token = self._tokens.token()
        for renewed in (False, True):
            headers = {"Authorization": f"Bearer {token.reveal()}"}
            answer = self._http.request(method, path, headers=headers, params=params, json=json, multipart=multipart)
            if answer.status != HTTPStatus.UNAUTHORIZED or renewed:
                break
            token = self._tokens.token(refused=token)
        return answer


def normalised(status: str) -> str:
    """Return a status or stage in the spelling of the API: upper case, underscores, `COMPLETE` as `COMPLETED`."""
    word = re.sub(r"[\s_-]+", "_", status.strip().upper())
    return "COMPLETED" if word == "COMPLETE" else word


def items_of(body: object) -> Sequence[object]:
    """Return the items of a list, which comes as a page object or as a bare array."""
    items = body.get("content") if isinstance(body, dict) else body
    if not isinstance(items, list):
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a list in an unknown shape")
    return items


def require_success(answer: Answer) -> Answer:
    """Return a 2xx answer; anything else is an error that names the status only: messages may repeat what we sent."""
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the successes
        return answer
    raise _error(status)


def require_written(answer: Answer) -> Answer:
    """Return the answer to a write that was carried out; a login page in between answers 200 too."""
    require_success(answer)
    if answer.body.lstrip().startswith(b"<"):
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a page in place of an answer", outcome_unknown=True)
    if answer.body.strip() == b"false":
        raise Temporary(Code.REMOTE_FAULT, "it was not carried out, and no reason given")
    return answer


def _subtask(item: object) -> Subtask:
    """Read a subtask; lists and the single call name the same things differently."""
    fields = item if isinstance(item, dict) else {}
    identity = _first(fields, "subTaskId")
    status = _first(fields, "status", "statusCode", "subTaskStatus")
    if not identity or not status:
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a subtask without id or status")
    return Subtask(
        identity,
        _first(fields, "subTaskName", "taskName"),
        normalised(status),
        _first(fields, "requestQueueRefId"),
        _first(fields, "requestQueueId"),
        _first(fields, "integrationWorkflowId"),
        normalised(_first(fields, "type", "subTaskType")),
        normalised(_first(fields, "workflowStage", "subtaskCreatedStage")),
        fields.get("subTaskRequired", fields.get("required")) is not False,
    )


def _first(fields: Mapping[str, Any], *names: str) -> str:
    """Return the first text under one of the names that is not blank; empty if there is none."""
    found = (fields.get(name) for name in names)
    return next((one for one in found if isinstance(one, str) and one.strip()), "")


def _is_last(body: Any, page: int, count: int, size: int) -> bool:
    if isinstance(body, dict) and isinstance(body.get("last"), bool):
        return bool(body["last"])
    if isinstance(body, dict) and isinstance(body.get("totalPages"), int):
        return page + 1 >= int(body["totalPages"])
    return count < size


def _error(status: int) -> ConnectorError:
    told = f"status {status}"
    if status == HTTPStatus.UNAUTHORIZED:
        return Misconfigured(Code.TOKEN_REFUSED, f"{told}, also with a new token")
    if status == HTTPStatus.FORBIDDEN:
        need = "the scopes DSAR_READ and DSAR_WRITE, the organization of the credential, or its IP restriction"
        return Misconfigured(Code.PERMISSION_MISSING, f"{told}; check {need}")
    if status == HTTPStatus.NOT_FOUND:
        return NotFound(Code.REMOTE_NOT_FOUND, f"{told} for the request or subtask")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.REQUEST_TIMEOUT:
        return Temporary(Code.REMOTE_FAULT, told)
    return Refused(Code.REMOTE_REFUSED, told)

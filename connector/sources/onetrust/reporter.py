"""Report to OneTrust by setting the state of a subtask (vendor pages: Update Subtask Status, Get Subtask).

The subtask's own state is read first. What a person decided there is never overwritten, and a state that is already
the wanted one is not written again, so that a report whose answer was lost does no harm. OneTrust has no conditional
write: a decision made between our read and our write cannot be seen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

from connector.codes import Code
from connector.errors import ConnectorError, Misconfigured, NotFound, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.outbound import Answer, Client, json_of, path_of
from connector.sources.onetrust.token import TokenSource

MAX_COMMENT: Final = 10_000
_PAGE_SIZE: Final = 50
_MAX_PAGES: Final = 40
_UUID: Final = re.compile(r"[0-9A-Fa-f]{8}(-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_REF: Final = re.compile(r"[A-Z0-9]{10}")
# Somebody ended the work on it.
CLOSED: Final = frozenset({"COMPLETED", "REJECTED", "DELETED"})
# Ours to move. `FAILED` is open: the workflow may fail a step that goes well in the end. Everything else, as
# `READY_FOR_REVIEW` and words nobody published, is in somebody else's hands.
OPEN: Final = frozenset({"OPEN", "ASSIGNED", "UNASSIGNED", "IN_PROGRESS", "PROCESSING", "NOT_RUN", "FAILED"})
_WITH_RESOLUTION: Final = frozenset({SourceStatus.COMPLETED, SourceStatus.REJECTED})


@dataclass(frozen=True, slots=True)
class Subtask:
    """A subtask as far as a report needs it."""

    id: str
    name: str
    status: str


class OneTrustReporter:
    """Fulfils `ports.Reporter`.

    Args:
        http: a client for the tenant's host.
        tokens: for the same host.
        subtask_name: the exact name of the subtask to report on when a callback brought only the request's id.
        resolutions: the resolution id to send with COMPLETED or REJECTED, where the tenant wants one.

    Raises:
        Misconfigured: a resolution is given for another status, or is not a UUID.
    """

    def __init__(
        self,
        http: Client,
        tokens: TokenSource,
        *,
        subtask_name: str = "",
        resolutions: Mapping[SourceStatus, str] | None = None,
    ) -> None:
        for status, resolution in (resolutions or {}).items():
            if status not in _WITH_RESOLUTION or not _UUID.fullmatch(resolution):
                raise Misconfigured(
                    Code.CONFIG_INVALID, "a resolution is a UUID, and only COMPLETED and REJECTED may have one"
                )
        self._http = http
        self._tokens = tokens
        self._subtask_name = subtask_name
        self._resolutions = dict(resolutions or {})

    def deliver(self, report: Report) -> Delivered:
        """Bring the subtask into the report's state, unless it is there or a person decided otherwise.

        Raises:
            Refused: the subtask cannot be told for certain, or OneTrust refuses the write.
            NotFound: OneTrust does not know the request or the subtask.
            Misconfigured: credential, scope or organization.
            Temporary: worth another try; the next one reads first again.
        """
        request_ref = report.external.get("request_ref", "")
        subtask_id = report.external.get("subtask_id", "") or self._identify(request_ref)
        if not _UUID.fullmatch(subtask_id):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask id is not a UUID")
        for last in (False, True):
            current = self._read(subtask_id, request_ref)
            if current.status == report.status:
                return Delivered.ALREADY
            if current.status not in OPEN:
                return Delivered.CONFLICT
            answer = self._write(subtask_id, report)
            if answer.status != HTTPStatus.CONFLICT or last:
                break
        _require_success(answer)
        if answer.body.lstrip().startswith(b"<"):
            # A login page in between answers 200 too. If the state was set all the same, the next try sees it.
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a page in place of an answer")
        if answer.body.strip() == b"false":
            raise Temporary(Code.REMOTE_FAULT, "the subtask's state was not set, and no reason given")
        return Delivered.SENT

    def _identify(self, request_ref: str) -> str:
        """Return the id of the one subtask of a request that bears the configured name."""
        if not self._subtask_name or not _REF.fullmatch(request_ref):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "neither a subtask id, nor a request id with subtask_name")
        named = [one for one in self._subtasks_of(request_ref) if one.name == self._subtask_name]
        # A single one is ours even when it is closed: we may have closed it, and lost the answer.
        candidates = named if len(named) == 1 else [one for one in named if one.status not in CLOSED]
        if len(candidates) != 1:
            detail = f"{len(named)} subtasks bear the configured name, {len(candidates)} of them open"
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, detail)
        return candidates[0].id

    def _subtasks_of(self, request_ref: str) -> list[Subtask]:
        path = path_of("api", "datasubject", "v2", "requestqueues", request_ref, "subtasks")
        found: dict[str, Subtask] = {}
        for page in range(_MAX_PAGES):
            answer = self._call("GET", path, params={"page": str(page), "size": str(_PAGE_SIZE)})
            body = json_of(_require_success(answer))
            items = body.get("content") if isinstance(body, dict) else body
            if not isinstance(items, list):
                raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a list of subtasks in an unknown shape")
            known = len(found)
            found |= {one.id: one for one in map(_subtask, items)}
            # A server that ignores the page number would repeat itself for ever.
            if len(found) == known or _is_last(body, page, len(items)):
                return list(found.values())
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a list of subtasks without an end")

    def _read(self, subtask_id: str, request_ref: str) -> Subtask:
        path = path_of("api", "datasubject", "v2", "subtasks", subtask_id)
        body = json_of(_require_success(self._call("GET", path)))
        subtask = _subtask(body)
        ref = body.get("requestQueueRefId")
        if subtask.id.lower() != subtask_id.lower() or (request_ref and isinstance(ref, str) and ref != request_ref):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask belongs to another request")
        return subtask

    def _write(self, subtask_id: str, report: Report) -> Answer:
        body: dict[str, str] = {"status": report.status.value}
        if report.comment:
            body["comment"] = escaped(report.comment)
        if resolution := self._resolutions.get(report.status):
            body["resolutionId"] = resolution
        return self._call("PUT", path_of("api", "datasubject", "v2", "subtasks", subtask_id, "status"), json=body)

    def _call(self, method: str, path: str, *, params: Mapping[str, str] | None = None, json: object = None) -> Answer:
        """Call with the token in use; if it is refused, once more with a new one."""
        token = self._tokens.token()
        for renewed in (False, True):
            headers = {"Authorization": f"Bearer {token.reveal()}"}
            answer = self._http.request(method, path, headers=headers, params=params, json=json)
            if answer.status != HTTPStatus.UNAUTHORIZED or renewed:
                break
            token = self._tokens.token(refused=token)
        return answer


def normalised(status: str) -> str:
    """Return a status in the spelling of the API: upper case, underscores, `COMPLETE` as `COMPLETED`."""
    word = re.sub(r"[\s-]+", "_", status.strip().upper())
    return "COMPLETED" if word == "COMPLETE" else word


def escaped(comment: str) -> str:
    """Escape a comment for HTML, which OneTrust may render, and cut it to 10,000 characters, never inside an entity."""
    text = html.escape(comment)
    return text if len(text) <= MAX_COMMENT else re.sub(r"&[^;]{0,6}$", "", text[: MAX_COMMENT - 1]) + "…"


def _subtask(item: object) -> Subtask:
    """Read a subtask; lists and the single call name the same things differently."""
    fields = item if isinstance(item, dict) else {}
    identity, name = fields.get("subTaskId"), fields.get("subTaskName") or fields.get("taskName")
    words = (fields.get(key) for key in ("status", "statusCode", "subTaskStatus"))
    status = next((word for word in words if isinstance(word, str) and word.strip()), "")
    if not isinstance(identity, str) or not status:
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a subtask without id or status")
    return Subtask(identity, name if isinstance(name, str) else "", normalised(status))


def _is_last(body: Any, page: int, count: int) -> bool:
    if isinstance(body, dict) and isinstance(body.get("last"), bool):
        return bool(body["last"])
    if isinstance(body, dict) and isinstance(body.get("totalPages"), int):
        return page + 1 >= int(body["totalPages"])
    return count < _PAGE_SIZE


def _require_success(answer: Answer) -> Answer:
    """Return a 2xx answer; anything else is an error that names the status only: messages may repeat what we sent."""
    status = answer.status
    if 200 <= status < 300:  # noqa: PLR2004 - the successes
        return answer
    raise _error(status)


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

"""Report to OneTrust by setting the state of a subtask (vendor pages: Update Subtask Status, Get Subtask).

The subtask's own state is read first. What a person decided there is never overwritten, and a state that is already
the wanted one is not written again, so that a report whose answer was lost does no harm. OneTrust has no conditional
write: a decision made between our read and our write cannot be seen.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured, Refused, Temporary
from connector.model import Delivered, Report, SourceStatus
from connector.outbound import Answer
from connector.sources.onetrust.api import CLOSED, OPEN, OneTrustApi, is_reference, is_uuid, require_success

MAX_COMMENT: Final = 10_000
_WITH_RESOLUTION: Final = frozenset({SourceStatus.COMPLETED, SourceStatus.REJECTED})


class OneTrustReporter:
    """Fulfils `ports.Reporter`.

    Args:
        subtask_name: the exact name of the subtask to report on when a callback brought only the request's id.
        resolutions: the resolution id to send with COMPLETED or REJECTED, where the tenant wants one.

    Raises:
        Misconfigured: a resolution is given for another status, or is not a UUID.
    """

    def __init__(
        self,
        api: OneTrustApi,
        *,
        subtask_name: str = "",
        resolutions: Mapping[SourceStatus, str] | None = None,
    ) -> None:
        for status, resolution in (resolutions or {}).items():
            if status not in _WITH_RESOLUTION or not is_uuid(resolution):
                raise Misconfigured(
                    Code.CONFIG_INVALID, "a resolution is a UUID, and only COMPLETED and REJECTED may have one"
                )
        self._api = api
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
        if not is_uuid(subtask_id):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask id is not a UUID")
        for last in (False, True):
            current = self._api.subtask(subtask_id, request_ref)
            if current.status == report.status:
                return Delivered.ALREADY
            if current.status not in OPEN:
                return Delivered.CONFLICT
            answer = self._write(subtask_id, report)
            if answer.status != HTTPStatus.CONFLICT or last:
                break
        require_success(answer)
        if answer.body.lstrip().startswith(b"<"):
            # A login page in between answers 200 too. If the state was set all the same, the next try sees it.
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a page in place of an answer")
        if answer.body.strip() == b"false":
            raise Temporary(Code.REMOTE_FAULT, "the subtask's state was not set, and no reason given")
        return Delivered.SENT

    def _identify(self, request_ref: str) -> str:
        """Return the id of the one subtask of a request that bears the configured name."""
        if not self._subtask_name or not is_reference(request_ref):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "neither a subtask id, nor a request id with subtask_name")
        named = [one for one in self._api.subtasks_of(request_ref) if one.name == self._subtask_name]
        # A single one is ours even when it is closed: we may have closed it, and lost the answer.
        candidates = named if len(named) == 1 else [one for one in named if one.status not in CLOSED]
        if len(candidates) != 1:
            detail = f"{len(named)} subtasks bear the configured name, {len(candidates)} of them open"
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, detail)
        return candidates[0].id

    def _write(self, subtask_id: str, report: Report) -> Answer:
        body: dict[str, str] = {"status": report.status.value}
        if report.comment:
            body["comment"] = escaped(report.comment)
        if resolution := self._resolutions.get(report.status):
            body["resolutionId"] = resolution
        return self._api.set_status(subtask_id, body)


def escaped(comment: str) -> str:
    """Escape a comment for HTML, which OneTrust may render, and cut it to 10,000 characters, never inside an entity."""
    text = html.escape(comment)
    return text if len(text) <= MAX_COMMENT else re.sub(r"&[^;]{0,6}$", "", text[: MAX_COMMENT - 1]) + "…"

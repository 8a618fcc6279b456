"""Report to OneTrust by setting the state of a subtask (vendor pages: Update Subtask Status, Complete Subtask).

The subtask's own state is read first. What a person decided there is never overwritten, and a state that is already
the wanted one is not written again, so that a report whose answer was lost does no harm. OneTrust has no conditional
write: a decision made between our read and our write cannot be seen.

Two calls complete a subtask. `/status` sets its state. `/complete` takes files as well, and whether a tenant lets an
outside system use it is not published: where it is refused or leaves the subtask open, `/status` serves.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from connector.codes import Code
from connector.errors import Misconfigured
from connector.model import Delivered, Report, SourceStatus
from connector.outbound import Answer
from connector.policy.outcome import nothing_held
from connector.sources.onetrust.api import OPEN, OneTrustApi, is_uuid, require_written
from connector.sources.onetrust.ours import Ours
from connector.states import RequestKind

MAX_COMMENT: Final = 10_000
_WITH_RESOLUTION: Final = frozenset({SourceStatus.COMPLETED, SourceStatus.REJECTED})
# `/complete` is not for us here; whether the completion itself is wrong, `/status` will say.
_NOT_TO_BE_COMPLETED: Final = frozenset(
    {
        HTTPStatus.BAD_REQUEST,
        HTTPStatus.FORBIDDEN,
        HTTPStatus.NOT_FOUND,
        HTTPStatus.METHOD_NOT_ALLOWED,
        HTTPStatus.UNPROCESSABLE_ENTITY,
    }
)
_READ_AGAIN: Final = frozenset({HTTPStatus.CONFLICT, HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})


class OneTrustReporter:
    """Fulfils `ports.Reporter`.

    Args:
        subtask_name: the exact name of the subtask to report on when a callback brought only the request's id.
        resolutions: the resolution id to send with COMPLETED or REJECTED, where the tenant wants one.
        nothing_held: the one to send with COMPLETED if Lytics held nothing; that of COMPLETED if empty.
        access: the one to send with COMPLETED of an access request, which has none of an erasure's.
        use_complete: whether `/complete` is tried for a completion.

    Raises:
        Misconfigured: a resolution is given for another status, or is not a UUID.
    """

    reads_first = True

    def __init__(
        self,
        api: OneTrustApi,
        *,
        subtask_name: str = "",
        resolutions: Mapping[SourceStatus, str] | None = None,
        nothing_held: str = "",
        access: str = "",
        use_complete: bool = False,
    ) -> None:
        given = dict(resolutions or {})
        ids = [*given.values()] + [one for one in (nothing_held, access) if one]
        if not set(given) <= _WITH_RESOLUTION or not all(map(is_uuid, ids)):
            raise Misconfigured(
                Code.CONFIG_INVALID, "a resolution is a UUID, and only COMPLETED and REJECTED may have one"
            )
        self._api = api
        self._ours = Ours(api, subtask_name)
        self._resolutions = given
        self._nothing_held = nothing_held
        self._access = access
        self._use_complete = use_complete

    def deliver(self, report: Report) -> Delivered:
        """Bring the subtask into the report's state, unless it is there or a person decided otherwise.

        Raises:
            Refused: the subtask cannot be told for certain, or OneTrust refuses the write.
            NotFound: OneTrust does not know the request or the subtask.
            Misconfigured: credential, scope or organization.
            Temporary: worth another try; the next one reads first again.
        """
        subtask_id = self._ours.id_of(report.external)
        settled = self._settled(subtask_id, report)
        if settled is not None:
            return settled
        answer = self._write(subtask_id, report)
        if answer.status in _READ_AGAIN:
            # A no may come of somebody's decision, or of our own write before, which a reading did not show yet.
            settled = self._settled(subtask_id, report)
            if settled is not None:
                return settled
            if answer.status == HTTPStatus.CONFLICT:
                answer = self._write(subtask_id, report)
        # If the state was set all the same, the next try sees it.
        require_written(answer)
        return Delivered.SENT

    def _settled(self, subtask_id: str, report: Report) -> Delivered | None:
        """Read the subtask; say how its state settles the report, None if there is something to write."""
        current = self._api.subtask(subtask_id, report.external.get("request_ref", ""))
        if current.status == report.status:
            return Delivered.ALREADY
        return None if current.status in OPEN else Delivered.CONFLICT

    def _write(self, subtask_id: str, report: Report) -> Answer:
        # `/complete` takes no completion without a comment.
        if self._use_complete and report.status is SourceStatus.COMPLETED and report.comment:
            answer = self._complete(subtask_id, report)
            if answer is not None:
                return answer
        body: dict[str, str] = {"status": report.status.value}
        if report.comment:
            body["comment"] = escaped(report.comment)
        if resolution := self._resolution(report):
            body["resolutionId"] = resolution
        return self._api.set_status(subtask_id, body)

    def _complete(self, subtask_id: str, report: Report) -> Answer | None:
        """Complete the subtask; None if that is not to be had by this call, and it is still open."""
        body: dict[str, object] = {"comment": escaped(report.comment), "markAsComplete": True}
        if resolution := self._resolution(report):
            body["resolutionId"] = resolution
        if report.attachment is not None:
            body["attachments"] = [{"fileName": report.attachment.file_name, "fileId": report.attachment.file_id}]
        answer = self._api.complete(subtask_id, body)
        if answer.status in _NOT_TO_BE_COMPLETED:
            return None
        # What it does without a word is to add the comment alone.
        done = 200 <= answer.status < 300  # noqa: PLR2004 - the successes
        return None if done and self._api.subtask(subtask_id).status in OPEN else answer

    def _resolution(self, report: Report) -> str:
        if report.kind is RequestKind.ACCESS and report.status is SourceStatus.COMPLETED:
            return self._access
        if self._nothing_held and report.status is SourceStatus.COMPLETED and nothing_held(report.counts):
            return self._nothing_held
        return self._resolutions.get(report.status, "")


def escaped(comment: str) -> str:
    """Escape a comment for HTML, which OneTrust may render, and cut it to 10,000 characters, never inside an entity."""
    text = html.escape(comment)
    return text if len(text) <= MAX_COMMENT else re.sub(r"&[^;]{0,6}$", "", text[: MAX_COMMENT - 1]) + "…"

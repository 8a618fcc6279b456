"""What else OneTrust is told once a subtask was: counts in custom fields, the next stage, the result of a conflict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from connector.model import Delivered, Report, SourceStatus
from connector.sources.onetrust.api import CLOSED, OPEN, OneTrustApi, normalised
from connector.sources.onetrust.ours import Ours, reference_of
from connector.sources.onetrust.reporter import escaped
from connector.sources.onetrust.request_calls import RequestCalls
from connector.states import RequestKind

_TOLD: Final = frozenset({Delivered.SENT, Delivered.ALREADY})


class OneTrustCommenter:
    """Fulfils `ports.Commenter` with internal comments on the request."""

    def __init__(self, api: OneTrustApi, *, subtask_name: str = "") -> None:
        self._ours = Ours(api, subtask_name)
        self._calls = RequestCalls(api)

    def comment(self, external: Mapping[str, str], text: str) -> bool:
        """Comment on the request, unless somebody ended our subtask."""
        subtask = self._ours.read(external)
        if subtask.status not in OPEN:
            return False
        self._calls.comment(reference_of(subtask, external), escaped(text))
        return True


class ConflictComment:
    """Fulfils `ports.FollowUp`: says what was done where somebody else decided on the subtask first."""

    name = "conflict_comment"

    def __init__(self, api: OneTrustApi, *, subtask_name: str = "") -> None:
        self._api = api
        self._ours = Ours(api, subtask_name)
        self._calls = RequestCalls(api)

    def after(self, report: Report, delivered: Delivered) -> str | None:
        """Comment on the request once, after a last report that could not be written."""
        if delivered is not Delivered.CONFLICT or report.status is SourceStatus.IN_PROGRESS:
            return None
        ref = reference_of(self._ours.read(report.external), report.external)
        # A comment cannot be made twice without harm, so one whose answer was lost is looked for.
        if any(report.report_id in text for text in _comments_in(self._api.request(ref))):
            return None
        opening = "Somebody else decided on our subtask before we reported, and it was left as it is."
        self._calls.comment(ref, escaped(f"{opening} {report.comment} (Report {report.report_id}.)"))
        return ""


class CustomFields:
    """Fulfils `ports.FollowUp`: writes counts of a request that is over into custom fields.

    Args:
        fields: the name of the custom field, and which count it holds.
    """

    name = "custom_fields"

    def __init__(self, api: OneTrustApi, fields: Mapping[str, str], *, subtask_name: str = "") -> None:
        self._ours = Ours(api, subtask_name)
        self._calls = RequestCalls(api)
        self._fields = dict(fields)

    def after(self, report: Report, delivered: Delivered) -> str | None:
        """Set the fields after the last report."""
        if delivered not in _TOLD or not report.counts:
            return None
        ref = reference_of(self._ours.read(report.external), report.external)
        self._calls.set_custom_fields(ref, {name: str(report.counts[one]) for name, one in self._fields.items()})
        return ""


class StageMove:
    """Fulfils `ports.FollowUp`: moves a request on once everything in its stage is done.

    Args:
        stage: the name of the next stage.
    """

    name = "stage_move"

    def __init__(self, api: OneTrustApi, stage: str, *, subtask_name: str = "") -> None:
        self._api = api
        self._ours = Ours(api, subtask_name)
        self._calls = RequestCalls(api)
        self._stage = stage

    def after(self, report: Report, delivered: Delivered) -> str | None:
        """Move the request out of the stage of our subtask after a completion, unless more is required there."""
        # The answer to an access request still has to reach the person, which people at OneTrust see to.
        if report.kind is RequestKind.ACCESS:
            return None
        if delivered not in _TOLD or report.status is not SourceStatus.COMPLETED:
            return None
        subtask = self._ours.read(report.external)
        ref = reference_of(subtask, report.external)
        current = normalised(str(self._api.request(ref).get("status") or ""))
        # Where somebody moved it on meanwhile it stays, and a repeat of ours does not move it back. That cannot be told
        # without the subtask's stage. A request that was closed is never opened again.
        if current != subtask.stage or current in {"", *CLOSED, normalised(self._stage)}:
            return None
        if any(one.is_required and one.status not in CLOSED for one in self._api.subtasks_of(ref)):
            return None
        self._calls.move_stage(ref, self._stage)
        return ""


def _comments_in(request: Mapping[str, Any]) -> list[str]:
    listed = request.get("requestV2CommentDtos")
    items = listed if isinstance(listed, list) else []
    return [str(one.get("comment", "")) for one in items if isinstance(one, dict)]

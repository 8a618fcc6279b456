"""Subtask routes of the fake OneTrust: read, report a state, complete, reprocess."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.fake import Route, answer
from connector.sandbox.onetrust_state import RESOLUTIONS, Subtask, iso
from connector.sandbox.onetrust_wire import Api, Refused, json_object, same_name

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Request, Response

    from connector.sandbox.faults import Faults
    from connector.sandbox.onetrust_state import Desk

WRITABLE: Final = frozenset({"IN_PROGRESS", "FAILED", "COMPLETED", "REJECTED"})
MAX_COMMENT: Final = 1_500_000
_MAX_FILE_NAME: Final = 200
_BASE: Final = "/api/datasubject/v2/subtasks"


class SubtaskApi(Api):
    """Everything that hangs on a subtask id."""

    def __init__(self, desk: Desk, faults: Faults, reprocess: Callable[[str], None]) -> None:
        super().__init__(desk, faults)
        self._reprocess = reprocess

    def routes(self) -> list[Route]:
        return [
            Route("GET", _BASE, "subtasks_old_list", self.old_list),
            Route("POST", "/api/datasubject/v3/subtasks", "subtasks_list", self.filtered),
            Route("GET", "/api/datasubject/v2/requestqueues/<ref_id>/subtasks", "subtasks_of_request", self.of_request),
            Route("GET", f"{_BASE}/<subtask_id>", "subtask_get", self.get),
            Route("PUT", f"{_BASE}/<subtask_id>/status", "subtask_status", self.set_status),
            Route("PUT", f"{_BASE}/<subtask_id>/complete", "subtask_complete", self.complete),
            Route("PUT", f"{_BASE}/<subtask_id>/reprocess", "subtask_reprocess", self.reprocess),
        ]

    def get(self, request: Request, subtask_id: str) -> Response:
        with self.desk.lock:
            subtask = self._subtask(subtask_id, "subtask_get")
            style = self.date_style("subtask_get")
            owner = self.desk.requests[subtask.ref_id]
            body: dict[str, Any] = {
                "subTaskId": subtask.id,
                "taskName": subtask.name,
                "taskDescription": "",
                "status": subtask.status,
                "statusCode": subtask.status,
                "type": subtask.type,
                "integrationSystemId": subtask.system_id,
                "integrationWorkflowId": subtask.workflow_id,
                "isManualRun": False,
                "isGroup": False,
                "required": subtask.required,
                "deadline": iso(owner.deadline, style),
                "workflowStage": subtask.stage,
                "requestQueueRefId": subtask.ref_id,
                "requestQueueId": owner.queue_id,
                "subTaskResolution": _title(subtask.resolution_id),
            }
            if request.args.get("includeComments") == "true":
                body["subTaskV2CommentsDtoList"] = [dict(c, isEdited=False, isEditable=False) for c in subtask.comments]
            return answer(200, body)

    def of_request(self, request: Request, ref_id: str) -> Response:
        with self.desk.lock:
            if ref_id not in self.desk.requests or self.faults.take("wrong_organization", "subtasks_of_request"):
                raise Refused(404, "request not found")
            items = [self._item(subtask) for subtask in self.desk.subtasks_of(ref_id)]
        return self.paged(request, items, "subtasks_of_request")

    def old_list(self, request: Request) -> Response:
        """The list that is going away: no completed subtasks, and a warning header."""
        with self.desk.lock:
            items = [self._item(subtask) for subtask in self.desk.subtasks.values() if not subtask.is_closed]
        response = self.paged(request, items, "subtasks_old_list")
        response.headers["Warning"] = '299 - "Deprecated; use POST /api/datasubject/v3/subtasks"'
        return response

    def filtered(self, request: Request) -> Response:
        wanted = json_object(request)
        closed_too = request.args.get("includeClosedSubtasks") == "true"
        with self.desk.lock:
            items = [
                self._item(subtask) | self._extra(subtask)
                for subtask in self.desk.subtasks.values()
                if (closed_too or not subtask.is_closed) and self._matches(subtask, wanted)
            ]
        return self.paged(request, items, "subtasks_list")

    def set_status(self, request: Request, subtask_id: str) -> Response:
        body = json_object(request)
        status, comment, resolution_id = body.get("status"), body.get("comment"), body.get("resolutionId")
        if status not in WRITABLE:
            raise Refused(400, "status must be one of IN_PROGRESS, FAILED, COMPLETED, REJECTED")
        if comment is not None and (not isinstance(comment, str) or len(comment) > MAX_COMMENT):
            raise Refused(400, "comment is too long or no text")
        if resolution_id is not None and status not in {"COMPLETED", "REJECTED"}:
            raise Refused(400, "resolutionId is only allowed with COMPLETED or REJECTED")
        with self.desk.lock:
            subtask = self._open_subtask(subtask_id, "subtask_status")
            _check_requirements(subtask, status, comment, resolution_id)
            subtask.write_status(status, at=self.desk.now(), by="api", comment=comment, resolution_id=resolution_id)
        return answer(200, True)

    def complete(self, request: Request, subtask_id: str) -> Response:
        if (fault := self.faults.take("complete_refused", "subtask_complete")) is not None:
            raise Refused(int(fault.value), "this subtask cannot be completed here")
        body = json_object(request)
        comment, resolution_id = body.get("comment"), body.get("resolutionId")
        if not isinstance(comment, str) or not 1 <= len(comment) <= MAX_COMMENT:
            raise Refused(400, "comment is required")
        attachments = body.get("attachments") or []
        with self.desk.lock:
            self._check_attachments(attachments)
            subtask = self._open_subtask(subtask_id, "subtask_complete")
            now = self.desk.now()
            comments_only = self.faults.take("complete_comments_only", "subtask_complete") is not None
            if body.get("markAsComplete") is True and not comments_only:
                _check_requirements(subtask, "COMPLETED", comment, resolution_id)
                subtask.write_status("COMPLETED", at=now, by="api", resolution_id=resolution_id)
                subtask.history[-1] |= {"comment": comment, "attachments": attachments}
            subtask.add_comment(comment, at=now, by="api", attachments=attachments)
        return answer(200, None)

    def reprocess(self, request: Request, subtask_id: str) -> Response:
        body = json_object(request, optional=True)
        with self.desk.lock:
            subtask = self._subtask(subtask_id, "subtask_reprocess")
            if subtask.type != "SYSTEM_TASK" or subtask.status in {"COMPLETED", "READY_FOR_REVIEW"}:
                raise Refused(400, "only an unfinished system subtask can be processed again")
            subtask.write_status("OPEN", at=self.desk.now(), by="workflow", comment=body.get("Comment"))
        self._reprocess(subtask_id)
        return answer(200, "Subtask is being processed again")

    def _subtask(self, subtask_id: str, operation: str) -> Subtask:
        subtask = self.desk.subtasks.get(subtask_id)
        hidden = self.faults.take("not_found", operation) or self.faults.take("wrong_organization", operation)
        if subtask is None or hidden:
            raise Refused(404, "subtask not found")
        return subtask

    def _open_subtask(self, subtask_id: str, operation: str) -> Subtask:
        subtask = self._subtask(subtask_id, operation)
        if subtask.is_closed and self.faults.take("closed_conflict", operation):
            raise Refused(409, "the subtask is closed")
        return subtask

    def _check_attachments(self, attachments: Any) -> None:
        for entry in attachments:
            name, file_id = (entry.get("fileName"), entry.get("fileId")) if isinstance(entry, dict) else (None, None)
            if not isinstance(name, str) or not 1 <= len(name) <= _MAX_FILE_NAME:
                raise Refused(400, "an attachment needs a fileName of at most 200 characters")
            if file_id not in self.desk.files:
                raise Refused(400, "the attachment's fileId is unknown")

    def _matches(self, subtask: Subtask, wanted: dict[str, Any]) -> bool:
        owner = self.desk.requests[subtask.ref_id]
        name, statuses = wanted.get("SystemName"), wanted.get("SubtaskStatus")
        exact = wanted.get("ExactSystemNameMatch") is True
        kind = {"system": "SYSTEM_TASK", "manual": "MANUAL"}.get(str(wanted.get("SubtaskType")), subtask.type)
        updated = wanted.get("SubtaskDateUpdated") or {}
        moment = iso(subtask.updated_at) or ""
        return (
            (not name or (subtask.name == name if exact else name in subtask.name))
            and (not statuses or same_name(subtask.status) in {same_name(status) for status in statuses})
            and kind == subtask.type
            and (not wanted.get("RequestType") or wanted["RequestType"] in owner.request_types)
            and (wanted.get("OpenRequests") is not True or same_name(owner.stage) not in {"complete", "rejected"})
            and updated.get("StartDate", "") <= moment <= updated.get("EndDate", "9999")
        )

    def _item(self, subtask: Subtask) -> dict[str, Any]:
        owner = self.desk.requests[subtask.ref_id]
        return {
            "subTaskId": subtask.id,
            "subTaskName": subtask.name,
            "subTaskStatus": subtask.status,
            "subTaskType": "SYSTEM_TASK" if subtask.type == "SYSTEM_TASK" else "MANUAL",
            "subTaskResolution": _title(subtask.resolution_id),
            "subTaskRequired": subtask.required,
            "subTaskDeadline": iso(owner.deadline),
            "subTaskCreatedDate": iso(subtask.created_at),
            "subTaskLastUpdatedDate": iso(subtask.updated_at),
            "requestQueueRefId": owner.ref_id,
            "requestQueueId": owner.queue_id,
            "requestTypes": owner.request_types,
            "subjectTypes": owner.subject_types,
            "requestQueueDateCreated": iso(owner.created_at),
            "requestQueueDeadline": None if owner.paused else iso(owner.deadline),
            "currentRequestStage": owner.stage,
        }

    def _extra(self, subtask: Subtask) -> dict[str, Any]:
        return {"requesterEmail": self.desk.requests[subtask.ref_id].email, "subtaskCreatedStage": subtask.stage}


def _check_requirements(subtask: Subtask, status: str, comment: str | None, resolution_id: str | None) -> None:
    if resolution_id is not None and resolution_id not in {r.id for r in RESOLUTIONS if r.type == 20}:  # noqa: PLR2004
        raise Refused(400, "resolutionId is not a subtask resolution")
    if status == "COMPLETED" and subtask.comment_required and not comment:
        raise Refused(400, "this subtask needs a comment")
    if status == "COMPLETED" and subtask.resolution_required and resolution_id is None:
        raise Refused(400, "this subtask needs a resolution")


def _title(resolution_id: str | None) -> str | None:
    return next((r.title for r in RESOLUTIONS if r.id == resolution_id), None)

"""Request routes of the fake OneTrust: read, list, comment, custom fields, stage, deadline, resolutions, files."""

from __future__ import annotations

import json
import re
import uuid
from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.fake import Route, answer
from connector.sandbox.onetrust_state import DAY_S, RESOLUTIONS, DsarRequest, iso
from connector.sandbox.onetrust_wire import Api, Refused, json_object, same_name

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

_BASE: Final = "/api/datasubject/v2/requestqueues"
_EXTENSIONS: Final = frozenset({"pdf", "doc", "docx", "txt", "png", "jpg", "jpeg", "csv"})
_MAX_FILE_BYTES: Final = 64 * 1024 * 1024
_DSAR: Final = 30


class RequestApi(Api):
    """Everything that hangs on a request's ref id."""

    def routes(self) -> list[Route]:
        return [
            Route("GET", f"{_BASE}/<language>", "requests_list", self.listed),
            Route("POST", f"{_BASE}/search/<language>", "requests_search", self.search),
            Route("GET", f"{_BASE}/<ref_id>/language/<language>", "request_get", self.get),
            Route("PUT", f"{_BASE}/<ref_id>/comments", "request_comment", self.comment),
            Route("PUT", f"{_BASE}/<ref_id>/customfields/<language>", "request_customfields", self.custom_fields),
            Route("PUT", f"{_BASE}/<ref_id>/movestages/<language>", "request_movestages", self.move),
            Route("PUT", f"{_BASE}/<ref_id>/pausedeadline", "request_pausedeadline", self.pause),
            Route("GET", "/api/datasubject/v2/resolutions", "resolutions", self.resolutions),
            Route("POST", "/api/document/v2/attachments", "attachment_upload", self.upload),
        ]

    def get(self, _request: Request, ref_id: str, language: str) -> Response:
        with self.desk.lock:
            found = self._visible(ref_id, "request_get")
            body = self._item(found, language, "request_get")
            subtasks = list(self.desk.subtasks_of(ref_id))
            closed = sum(subtask.is_closed for subtask in subtasks)
            body |= {
                "additionalData": json.dumps(found.identifiers),
                "requestAdditionalData": dict(found.identifiers),
                "multiselectFields": {},
                "requestV2CommentDtos": list(found.comments),
                "customFields": dict(found.custom_fields),
                "legalDeadLineInfo": {
                    "totalSubtasks": len(subtasks),
                    "completedSubtasks": closed,
                    "remainingSubtasks": len(subtasks) - closed,
                    "slaExceeded": found.deadline is not None and self.desk.now() > found.deadline,
                    "daysPaused": found.days_paused,
                    "testRequest": found.test_request,
                    "currentStage": found.stage,
                },
            }
            return answer(200, body)

    def listed(self, request: Request, language: str) -> Response:
        modified, created = _day(request, "modifieddate"), _day(request, "createddate")
        stage = request.args.get("status")
        with self.desk.lock:
            items = [
                self._item(found, language, "requests_list")
                for found in self.desk.requests.values()
                if self._is_visible(found, "requests_list")
                and (stage is None or same_name(found.stage) == same_name(stage))
                and modified <= (iso(found.updated_at) or "")
                and created <= (iso(found.created_at) or "")
            ]
        return self.paged(request, items, "requests_list")

    def search(self, request: Request, language: str) -> Response:
        term = str(json_object(request).get("term", "")).lower()
        with self.desk.lock:
            items = [
                self._item(found, language, "requests_search")
                for found in self.desk.requests.values()
                if self._is_visible(found, "requests_search") and term in f"{found.ref_id} {found.email}".lower()
            ]
        return self.paged(request, items, "requests_search")

    def comment(self, request: Request, ref_id: str) -> Response:
        body = json_object(request)
        text, internal = body.get("comment"), body.get("internalComment")
        if not isinstance(text, str) or not text or not isinstance(internal, bool):
            raise Refused(400, "comment and internalComment are required")
        with self.desk.lock:
            found = self._visible(ref_id, "request_comment")
            entry = {"commentId": str(uuid.uuid4()), "comment": text, "isInternalComment": internal}
            found.comments.append(entry | {"at": self.desk.now(), "attachments": body.get("attachments") or []})
            found.updated_at = self.desk.now()
        return answer(200, True)

    def custom_fields(self, request: Request, ref_id: str, language: str) -> Response:
        body = json_object(request)
        if not all(isinstance(value, str) for value in body.values()):
            raise Refused(400, "custom fields are a flat map of strings")
        with self.desk.lock:
            found = self._visible(ref_id, "request_customfields")
            found.custom_fields |= body
            found.updated_at = self.desk.now()
            return answer(200, self._item(found, language, "request_customfields"))

    def move(self, request: Request, ref_id: str, language: str) -> Response:  # noqa: ARG002 (part of the path)
        stage = json_object(request).get("nextStage")
        if not isinstance(stage, str) or not stage:
            raise Refused(400, "nextStage is required")
        with self.desk.lock:
            found = self._visible(ref_id, "request_movestages")
            if any(subtask.required and not subtask.is_closed for subtask in self.desk.subtasks_of(ref_id)):
                raise Refused(400, "required subtasks of this stage are open")
            found.stage, found.updated_at = stage, self.desk.now()
            # The original calls this key an id and puts the ten-character ref id in it.
            return answer(200, {"requestQueueId": ref_id, "currentStage": stage, "statusCode": 200})

    def pause(self, request: Request, ref_id: str) -> Response:
        wanted = json_object(request).get("pauseDeadline")
        if not isinstance(wanted, bool):
            raise Refused(400, "pauseDeadline must be true or false")
        with self.desk.lock:
            found = self._visible(ref_id, "request_pausedeadline")
            found.paused, found.updated_at = wanted, self.desk.now()
        return answer(200, True)

    def resolutions(self, request: Request) -> Response:
        both = request.args.get("includeSubTaskResolutions") == "true"
        items = [
            {
                "id": entry.id,
                "type": entry.type,
                "close": True,
                "reject": entry.title == "Refused",
                "complete": entry.title != "Refused",
                "titleTranslations": {"en-us": entry.title},
                "descriptionTranslations": {"en-us": entry.title},
            }
            for entry in RESOLUTIONS
            if both or entry.type == 10  # noqa: PLR2004
        ]
        return answer(200, items)

    def upload(self, request: Request) -> Response:
        part, text = request.files.get("file"), request.form.get("attachment")
        try:
            about = json.loads(text or "")
            name, kind, refs = about["FileName"], about["Type"], about["RefIds"]
        except (ValueError, KeyError, TypeError):
            raise Refused(400, "the attachment part needs FileName, Type and RefIds") from None
        content = part.read() if part is not None else b""
        self._check_upload(name, kind, refs, content)
        with self.desk.lock:
            if refs[0] not in {found.queue_id for found in self.desk.requests.values()}:
                raise Refused(400, "RefIds names no request")
            file_id, now = str(uuid.uuid4()), self.desk.now()
            entry = {"Id": file_id, "FileName": name, "Name": about.get("Name", name), "FileSize": len(content)}
            entry |= {
                "Type": kind,
                "RefId": refs[0],
                "IsInternal": about.get("IsInternal", True),
                "CreatedDT": iso(now),
            }
            self.desk.files[file_id] = entry | {"content": content.decode(errors="replace")}
        return answer(201, entry)

    def _check_upload(self, name: Any, kind: Any, refs: Any, content: bytes) -> None:
        if not content or len(content) > _MAX_FILE_BYTES:
            raise Refused(400, "the file part is missing, empty or larger than 64 MB")
        refused = self.faults.take("extension_refused", "attachment_upload")
        extension = str(name).rpartition(".")[2].lower()
        if extension not in _EXTENSIONS or (refused is not None and refused.value == extension):
            raise Refused(400, "this file extension is not allowed")
        if kind != _DSAR or not isinstance(refs, list) or len(refs) != 1 or not _is_uuid(refs[0]):
            raise Refused(400, "Type must be 30 and RefIds exactly one UUID")

    def _is_visible(self, found: DsarRequest, operation: str) -> bool:
        if self.faults.take("wrong_organization", operation):
            return False
        fault = self.faults.take("visibility_delay", operation)
        return fault is None or self.desk.now() >= found.created_at + float(fault.value)

    def _visible(self, ref_id: str, operation: str) -> DsarRequest:
        found = self.desk.requests.get(ref_id)
        if found is None or self.faults.take("not_found", operation) or not self._is_visible(found, operation):
            raise Refused(404, "request not found")
        return found

    def _item(self, found: DsarRequest, language: str, operation: str) -> dict[str, Any]:
        style = self.date_style(operation)
        packed = self.faults.take("packed_types", operation)
        state = self.faults.take("timer_as_number", operation)
        word = "PAUSED" if found.paused else "ACTIVE"
        deadline = None if found.paused else found.deadline
        item: dict[str, Any] = {
            "requestQueueRefId": found.ref_id,
            "requestQueueId": found.queue_id,
            "firstName": found.first_name,
            "lastName": found.last_name,
            "email": found.email,
            "organization": "Example Europe",
            "status": found.stage,
            "requestTypes": [", ".join(found.request_types)] if packed else found.request_types,
            "subjectTypes": found.subject_types,
            "countryCode": found.country_code,
            "language": language,
            "dateCreated": iso(found.created_at, style),
            "dateUpdated": iso(found.updated_at, style),
            "deadline": iso(deadline, style),
            "isExtended": False,
            "additionalStatuses": (10 if found.paused else 0) if state else word,
            "daysToRespond": None if deadline is None else int((deadline - self.desk.now()) // DAY_S),
            "workflow": "EU erasure",
            "dateCompleted": None,
            "resolution": None,
        }
        if found.paused:
            del item["deadline"]
        return item


def _day(request: Request, name: str) -> str:
    text = request.args.get(name)
    if text is None:
        return ""
    if not re.fullmatch(r"\d{8}", text):
        raise Refused(400, f"{name} must be yyyyMMdd")
    return f"{text[:4]}-{text[4:6]}-{text[6:]}"


def _is_uuid(text: Any) -> bool:
    try:
        return isinstance(text, str) and str(uuid.UUID(text)) == text
    except ValueError:
        return False

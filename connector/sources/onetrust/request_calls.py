"""OneTrust's calls that hang on a request instead of a subtask: comments, fields, stage, files, resolutions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from connector.codes import Code
from connector.errors import Temporary
from connector.outbound import FilePart, json_of, path_of
from connector.sources.onetrust.api import LANGUAGE, OneTrustApi, items_of, require_success, require_written

#: What `type` says of a resolution that belongs to subtasks.
OF_SUBTASKS: Final = 20
#: What a file is called beside it, unless it is something else.
EVIDENCE: Final = "Erasure evidence"
_DSAR: Final = 30
_IDS: Final = ("Id", "id", "fileId")
# The file itself, not the call.
_FILE_REFUSED: Final = frozenset(
    {HTTPStatus.BAD_REQUEST, HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY}
)


class RequestCalls:
    """The calls; all of them raise the same errors as those of `OneTrustApi`."""

    def __init__(self, api: OneTrustApi) -> None:
        self._api = api

    def comment(self, request_ref: str, text: str) -> None:
        """Add a comment that the data subject never sees (Add Comments). Made twice, it is there twice."""
        # The pages name the flag in two ways; a comment that reached the person could not be taken back.
        body = {"comment": text, "internalComment": True, "isInternalComment": True, "language": LANGUAGE}
        require_written(self._api.send("PUT", self._path(request_ref, "comments"), json=body))

    def set_custom_fields(self, request_ref: str, fields: Mapping[str, str]) -> None:
        """Set custom fields (Update Custom Fields)."""
        path = self._path(request_ref, "customfields", LANGUAGE)
        chosen = {"mapOptionKeyToNameKey": "false"}
        require_written(self._api.send("PUT", path, params=chosen, json=dict(fields)))

    def move_stage(self, request_ref: str, stage: str) -> None:
        """Move a request to another stage (Update Request Stage)."""
        path = self._path(request_ref, "movestages", LANGUAGE)
        require_written(self._api.send("PUT", path, json={"nextStage": stage}))

    def upload(self, request_id: str, name: str, content: bytes, about: str = EVIDENCE) -> str | None:
        """Upload a file for a request and return its id; None if it is refused, as for its extension (File Upload).

        Args:
            request_id: the request's UUID, not its reference.
            about: what the file is, in words. Only people at OneTrust see it, and the file.
        """
        attachment = {
            "FileName": name,
            "Name": name,
            "Type": _DSAR,
            "RefIds": [request_id],
            "IsInternal": True,
            "Comments": about,
        }
        media_type = "text/csv" if name.endswith(".csv") else "text/plain"
        parts: dict[str, str | FilePart] = {
            "file": FilePart(name, content, media_type),
            "attachment": json.dumps(attachment),
        }
        answer = self._api.send("POST", path_of("api", "document", "v2", "attachments"), multipart=parts)
        if answer.status in _FILE_REFUSED:
            return None
        body = json_of(require_success(answer))
        found = [body[one] for one in _IDS if body.get(one)] if isinstance(body, dict) else []
        if not found or not isinstance(found[0], str):
            raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "an upload without the id of its file", outcome_unknown=True)
        return found[0]

    def resolutions(self) -> Mapping[str, object]:
        """Return the type of each resolution by its id (Get Resolutions), those of subtasks too."""
        chosen = {"language": LANGUAGE, "includeSubTaskResolutions": "true"}
        path = path_of("api", "datasubject", "v2", "resolutions")
        items: list[Any] = [*items_of(json_of(self._api.call("GET", path, params=chosen)))]
        return {str(one.get("id")).lower(): one.get("type") for one in items if isinstance(one, dict)}

    def _path(self, request_ref: str, *rest: str) -> str:
        return path_of("api", "datasubject", "v2", "requestqueues", request_ref, *rest)

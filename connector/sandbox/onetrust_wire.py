"""Errors, paging and names that the routes of the fake OneTrust share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from werkzeug.wrappers import Response

from connector.sandbox.fake import answer, body_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Request

    from connector.sandbox.faults import Faults
    from connector.sandbox.onetrust_state import Desk

_MAX_PAGE: Final = 500


class Refused(Exception):
    """Ends a handler with an error answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Api:
    """Base of one group of routes."""

    def __init__(self, desk: Desk, faults: Faults) -> None:
        self.desk = desk
        self.faults = faults

    def date_style(self, operation: str) -> str:
        fault = self.faults.take("date_format", operation)
        return "millis" if fault is None else str(fault.value)

    def paged(self, request: Request, items: Sequence[dict[str, Any]], operation: str) -> Response:
        """Cut one page out, as a page object or, by switch, as a bare array."""
        page, size = _number(request, "page", 0), _number(request, "size", 20)
        if not 1 <= size <= _MAX_PAGE or page < 0:
            raise Refused(400, "size must be between 1 and 500")
        if self.faults.take("wrong_organization", operation):
            items = ()
        content = sort(request.args.get("sort", ""), items)[page * size : (page + 1) * size]
        if self.faults.take("bare_array", operation):
            return answer(200, content)
        pages = -(-len(items) // size)
        body = {
            "content": content,
            "pageable": {"pageNumber": page, "pageSize": size, "offset": page * size, "paged": True, "unpaged": False},
            "totalElements": len(items),
            "totalPages": pages,
            "size": size,
            "number": page,
            "numberOfElements": len(content),
            "first": page == 0,
            "last": page + 1 >= pages,
            "empty": not content,
        }
        return answer(200, body)


def sort(wanted: str, items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Order by `property,asc|desc`. A property that does not exist gives 500, as reported of the original."""
    if not wanted:
        return list(items)
    name, _, direction = wanted.partition(",")
    name = {"createdDate": "dateCreated", "subtaskDateUpdated": "subTaskLastUpdatedDate"}.get(name, name)
    if direction not in {"", "asc", "desc"} or any(name not in item for item in items):
        raise Refused(500, "could not resolve the sort property")
    return sorted(items, key=lambda item: str(item[name]), reverse=direction == "desc")


def _number(request: Request, name: str, default: int) -> int:
    text = request.args.get(name, str(default))
    if not text.isdigit():
        raise Refused(400, f"{name} must be a number")
    return int(text)


def json_object(request: Request, *, optional: bool = False) -> dict[str, Any]:
    """Read the body; anything but a JSON object sent as JSON is a 400."""
    if optional and not request.get_data():
        return {}
    if request.mimetype != "application/json":
        raise Refused(400, "the body must be application/json")
    try:
        body = body_json(request)
    except ValueError:
        raise Refused(400, "the body is not JSON") from None
    if not isinstance(body, dict):
        raise Refused(400, "the body must be an object")
    return body


def same_name(name: str) -> str:
    """Stage and status names are compared without regard to case, blanks and underscores."""
    return name.replace("_", "").replace(" ", "").lower()


def error_in_shape(shape: str, status: int, message: str) -> Response:
    """The same error in one of the shapes seen in the wild."""
    if shape == "string":
        return answer(status, message)
    if shape == "text":
        return Response(message, status=status, content_type="text/plain")
    if shape == "html":
        return Response(f"<html><body><h1>{status}</h1></body></html>", status=status, content_type="text/html")
    if shape == "empty":
        return Response(b"", status=status)
    if shape == "list":
        text = json.dumps({"validationErrors": [{"message": message}], "errors": [message]})
        return Response(text, status=status, content_type="application/json")
    return answer(status, {"status": status, "message": message})

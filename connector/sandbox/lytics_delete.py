"""The `identity-delete` API: one deletion id per batch, with counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from connector.sandbox.fake import Route, answer, body_json
from connector.sandbox.lytics_state import Deletion, timestamp
from connector.sandbox.lytics_wire import Api, Refused, v2

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

_RECENT = 100


class DeleteApi(Api):
    """Submit a batch, list recent operations, read one."""

    def routes(self) -> list[Route]:
        return [
            Route("POST", "/v2/identity/delete", "delete_submit", self.submit),
            Route("GET", "/v2/identity/delete/status", "delete_list", self.recent),
            Route("GET", "/v2/identity/delete/status/<deletion_id>", "delete_status", self.status),
        ]

    def submit(self, request: Request) -> Response:
        self._require_on("delete_submit")
        table, name, values = self._read(request)
        fate = self.decide_fate("delete_submit")
        with self.world.lock:
            deletion = self.world.submit("identity-delete", table, name, values, fate)
            self.world.record("identity-delete", table, name, dict.fromkeys(values, deletion.id))
        shape = self.faults.take("submit_shape", "delete_submit")
        return _shaped(deletion, shape.value if shape is not None else None)

    def recent(self, _request: Request) -> Response:
        self._require_on("delete_list")
        with self.world.lock:
            self.world.settle()
            own = [d for d in self.world.deletions.values() if d.api == "identity-delete"][-_RECENT:]
            items = [self._status_object(deletion, "delete_list") for deletion in reversed(own)]
        shape = self.faults.take("list_shape", "delete_list")
        if shape is None:
            return v2(200, items)
        if shape.value == "missing":
            raise Refused(404, "not found")
        return v2(200, {"requests": items} if shape.value == "wrapped" else {d["request_id"]: d for d in items})

    def status(self, _request: Request, deletion_id: str) -> Response:
        if self.faults.take("identity_delete_off", "delete_status"):
            # Without this API the path has the shape of a profile look-up in a table called `delete`.
            raise Refused(404, "table not found", "TABLE-NOTFOUND-009")
        with self.world.lock:
            self.world.settle()
            deletion = self.world.deletions.get(deletion_id)
            if deletion is None or not self.known_id("delete_status", deletion_id):
                raise Refused(404, "deletion request not found")
            if deletion.api not in {"identity-delete", "single"}:
                raise Refused(404, "deletion request not found")
            return v2(200, self._status_object(deletion, "delete_status"))

    def _require_on(self, operation: str) -> None:
        fault = self.faults.take("identity_delete_off", operation)
        if fault is not None:
            raise Refused(int(fault.value), "method not allowed" if fault.value == 405 else "not found")  # noqa: PLR2004

    def _read(self, request: Request) -> tuple[str, str, list[str]]:
        try:
            body = body_json(request)
        except ValueError:
            raise Refused(400, "the body is not JSON", "JSON-BADREQ-025") from None
        if not isinstance(body, dict):
            raise Refused(400, "the body must be an object")
        table, name = body.get("table"), body.get("field", body.get("key"))
        values = body.get("values", body.get("identifiers"))
        if not isinstance(table, str) or not isinstance(name, str) or not isinstance(values, list):
            raise Refused(400, "table, field and values are required")
        if not values or not all(isinstance(value, str) for value in values):
            raise Refused(400, "values must be a list of strings that is not empty")
        if (fault := self.faults.take("too_large", "delete_submit")) is not None and len(values) > fault.value:
            raise Refused(413, "request entity too large")
        self.require_table(table)
        if not self.world.is_identity(table, name):
            raise Refused(400, "the field is not an identity field of the table")
        return table, name, values

    def _status_object(self, deletion: Deletion, operation: str) -> dict[str, Any]:
        word = self.state_word(operation, _word(deletion, self.world.now()))
        shape = self.faults.take("status_shape", operation)
        item: dict[str, Any] = {"request_id": deletion.id}
        if shape is not None and shape.value == "state":
            item = {"id": deletion.id, "state": word, "total": len(deletion.values), "succeeded": deletion.deleted}
        elif shape is not None:
            item |= {"status": word, "profiles_requested": len(deletion.values), "profiles_deleted": deletion.deleted}
        else:
            item |= {"status": word, "requested": len(deletion.values), "deleted": deletion.deleted}
        if self.faults.take("no_counts", operation):
            item = {key: value for key, value in item.items() if not isinstance(value, int)}
        return item | {"submitted": timestamp(deletion.submitted_at)}


def _word(deletion: Deletion, now: float) -> str:
    if deletion.settled:
        return "failed" if deletion.fate.failed else "completed"
    return "pending" if deletion.progress(now) < 0.5 else "in_progress"  # noqa: PLR2004 (the first half)


def _shaped(deletion: Deletion, shape: str | None) -> Response:
    """Build the answer to a submission; its shape is not published, so several are possible."""
    if shape == "top_level":
        return answer(202, {"status": 202, "request_id": deletion.id})
    if shape == "string":
        return v2(202, deletion.id)
    if shape == "maps":
        return v2(202, {"successes": dict.fromkeys(deletion.values, deletion.id), "errors": {}})
    if shape == "no_id":
        return v2(202, {"status": "pending"})
    return v2(202, {shape or "request_id": deletion.id, "status": "pending"})

"""The `identity-queue` API: one deletion id per value, and errors per value hidden in a 202."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.fake import Route, body_json
from connector.sandbox.lytics_state import Deletion, timestamp
from connector.sandbox.lytics_wire import Api, Refused, v2

if TYPE_CHECKING:
    from werkzeug.wrappers import Request, Response

    from connector.sandbox.faults import Faults
    from connector.sandbox.lytics_state import World

STATES: Final = ("initial", "primary", "archive", "secondary")
_JUNK: Final = frozenset({"", "null", "0", "NaN"})
_MAX_VALUE_BYTES: Final = 256
_STRAY: Final = " \t\r\n\"'\ufeff"


class QueueApi(Api):
    """Bulk and single deletion with one id per value."""

    def __init__(self, world: World, faults: Faults) -> None:
        super().__init__(world, faults)
        self._ids: dict[tuple[str, str, str], str] = {}

    def routes(self) -> list[Route]:
        return [
            Route("DELETE", "/v2/identity/queue/bulk/<table>/<name>", "queue_submit", self.submit),
            Route("GET", "/v2/identity/deletestatus/list", "queue_list", self.listed),
            Route("GET", "/v2/identity/deletestatus/overview", "queue_overview", self.overview),
            Route("GET", "/v2/identity/deletestatus/<deletion_id>", "queue_status", self.status),
            Route("DELETE", "/v2/identity/<table>/<name>/<path:value>", "single_delete", self.delete_one),
        ]

    def submit(self, request: Request, table: str, name: str) -> Response:
        self._require_on("queue_submit")
        values = self._read(request)
        self.require_table(table)
        refusal = self._refusal_of_all(table, name)
        successes: dict[str, str] = {}
        errors: dict[str, Any] = {}
        lost = self.faults.take("value_lost", "queue_submit")
        with self.world.lock:
            for position, value in enumerate(dict.fromkeys(values)):
                if lost is not None and (lost.value == value or (lost.value is None and position == 0)):
                    continue
                reason = refusal or _objection(value)
                if reason:
                    errors[value] = reason
                else:
                    successes[value] = self._queued(table, name, value)
            self.world.record("identity-queue", table, name, successes)
        return v2(202, self._maps(successes, errors))

    def delete_one(self, _request: Request, table: str, name: str, value: str) -> Response:
        profile = self.world.find(table, name, value)
        # It resolves the profile first, and cannot where it is several people's.
        if profile is None or profile.others:
            raise Refused(404, "profile not found", "ENTITY-NOTFOUND-012")
        with self.world.lock:
            deletion = self.world.submit("single", table, name, [value], self.decide_fate("single_delete"))
            self.world.record("single", table, name, {value: deletion.id})
        return v2(202, self._status_object(deletion, "single_delete"))

    def listed(self, _request: Request) -> Response:
        self._require_on("queue_list")
        with self.world.lock:
            items = [self._status_object(deletion, "queue_list") for deletion in self._own()]
        shape = self.faults.take("list_shape", "queue_list")
        if shape is None:
            return v2(200, items)
        if shape.value == "missing":
            raise Refused(404, "not found")
        return v2(200, {"requests": items} if shape.value == "wrapped" else {d["request_id"]: d for d in items})

    def overview(self, _request: Request) -> Response:
        self._require_on("queue_overview")
        with self.world.lock:
            return v2(200, dict(Counter(_state(deletion, self.world.now()) for deletion in self._own())))

    def status(self, _request: Request, deletion_id: str) -> Response:
        self._require_on("queue_status")
        with self.world.lock:
            self.world.settle()
            deletion = self.world.deletions.get(deletion_id)
            if deletion is None or not self.known_id("queue_status", deletion_id):
                raise Refused(404, "deletion request not found")
            if deletion.api not in {"identity-queue", "single"}:
                raise Refused(404, "deletion request not found")
            return v2(200, self._status_object(deletion, "queue_status"))

    def _require_on(self, operation: str) -> None:
        fault = self.faults.take("identity_queue_off", operation)
        if fault is not None:
            raise Refused(int(fault.value), "method not allowed" if fault.value == 405 else "not found")  # noqa: PLR2004

    def _read(self, request: Request) -> list[str]:
        if self.faults.take("body_dropped", "queue_submit"):
            raise Refused(400, "the body is empty", "JSON-BADREQ-025")
        try:
            body = body_json(request)
        except ValueError:
            raise Refused(400, "the body is not JSON", "JSON-BADREQ-025") from None
        values = body.get("values") if isinstance(body, dict) else None
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise Refused(400, "the body must be an object with a list of strings called values")
        if (fault := self.faults.take("too_large", "queue_submit")) is not None and len(values) > fault.value:
            raise Refused(413, "request entity too large")
        return values

    def _refusal_of_all(self, table: str, name: str) -> str:
        if self.faults.take("refuse_in_values", "queue_submit"):
            return "permission denied: the token lacks Entity: Delete"
        return "" if self.world.is_identity(table, name) else f"field {name} is not an identity field"

    def _queued(self, table: str, name: str, value: str) -> str:
        """Return the id of this value; the same one as before, unless that deletion is done and the person is back."""
        identity = (table, name, value)
        known = self._ids.get(identity)
        if known is not None:
            self.world.settle()
            returned = self.world.deletions[known].settled and self.world.find(table, name, value) is not None
            if not returned or self.faults.take("old_id_after_return", "queue_submit"):
                return known
        fate = self.decide_fate("queue_submit")
        self._ids[identity] = self.world.submit("identity-queue", table, name, [value], fate).id
        return self._ids[identity]

    def _maps(self, successes: dict[str, str], errors: dict[str, Any]) -> dict[str, Any]:
        take = self.faults.take
        if (fault := take("value_in_both", "queue_submit")) is not None and successes:
            wanted = fault.value if fault.value in successes else next(iter(successes))
            errors[wanted] = "already being processed"
        if take("error_objects", "queue_submit"):
            errors = {value: {"message": reason, "code": "BADREQ-001"} for value, reason in errors.items()}
        if take("keys_lowercased", "queue_submit"):
            successes = {value.strip().lower(): deletion_id for value, deletion_id in successes.items()}
            errors = {value.strip().lower(): reason for value, reason in errors.items()}
        return {"successes": successes, "errors": errors}

    def _own(self) -> list[Deletion]:
        self.world.settle()
        return [d for d in self.world.deletions.values() if d.api in {"identity-queue", "single"}]

    def _status_object(self, deletion: Deletion, operation: str) -> dict[str, Any]:
        state, completed = _state(deletion, self.world.now()), deletion.settled
        if self.faults.take("completed_without_done", operation):
            state, completed = "secondary", True
        return {
            "request_id": deletion.id,
            "state": self.state_word(operation, state),
            "completed": completed,
            "requested": "",
            "submitted": timestamp(deletion.submitted_at),
        }


def _state(deletion: Deletion, now: float) -> str:
    return "done" if deletion.settled else STATES[int(deletion.progress(now) * len(STATES))]


def _objection(value: str) -> str:
    if value in _JUNK:
        return "value is not a usable identity"
    if value != value.strip(_STRAY):
        return "value matches no identity"
    return "value is too long" if len(value.encode()) > _MAX_VALUE_BYTES else ""

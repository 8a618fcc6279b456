"""Envelopes and errors of the Lytics API, v2 and v1, and what its handlers have in common."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any, Final

from connector.sandbox.fake import answer
from connector.sandbox.lytics_state import EVERY_VALUE, Fate, World, timestamp

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from connector.sandbox.faults import Faults

CODE_FOR: Final = {
    400: "BADREQ-001",
    401: "UNAUTHORIZED-017",
    403: "FORBIDDEN-026",
    404: "NOTFOUND-003",
    500: "INTERNAL-019",
}
#: Operations that change something; `forbidden` without an operation concerns these.
SUBMITS: Final = frozenset({"delete_submit", "queue_submit", "single_delete", "v1_delete"})


class Refused(Exception):
    """Ends a handler with an error answer."""

    def __init__(self, status: int, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code or CODE_FOR.get(status, "UNKNOWN-000")


def v2(status: int, data: Any) -> Response:
    """Answer in the v2 envelope. `request_id` names this HTTP call, not a deletion."""
    return answer(status, {"data": data, "status": status, "request_id": str(uuid.uuid4())})


def v2_error(status: int, message: str, now: float, code: str = "") -> Response:
    entry = {"code": code or CODE_FOR.get(status, "UNKNOWN-000"), "level": "warn", "message": message}
    entry["timestamp"] = timestamp(now)
    return answer(status, {"status": status, "request_id": str(uuid.uuid4()), "errors": [entry]})


def v1(data: Any, message: str = "success", status: int = 200) -> Response:
    return answer(status, {"data": data, "message": message, "status": status})


class Api:
    """Base of one group of routes: the world, the switches, and the fate they give to a deletion."""

    def __init__(self, world: World, faults: Faults) -> None:
        self.world = world
        self.faults = faults

    def decide_fate(self, operation: str) -> Fate:
        """Take the switches that decide how a deletion will go."""
        take = self.faults.take
        if not self.faults:
            return Fate()
        fate = Fate(failed=take("deletion_failed", operation) is not None, stuck=take("stuck", operation) is not None)
        if (fault := take("deleted_fewer", operation)) is not None:
            fate.left_over = int(fault.value)
        if (fault := take("still_present", operation)) is not None:
            fate.still_present = str(fault.value or EVERY_VALUE)
        if (fault := take("comes_back", operation)) is not None:
            fate.comes_back_after_s = float(fault.value)
        if (fault := take("lookup_lags", operation)) is not None:
            fate.lookup_lag_s = float(fault.value)
        return fate

    def state_word(self, operation: str, word: str) -> str:
        """Return the state word, or the strange one that a switch puts in its place."""
        fault = self.faults.take("unknown_state", operation)
        return word if fault is None else str(fault.value)

    def known_id(self, operation: str, deletion_id: str) -> bool:
        """Say whether an id is still known; a switch makes the fake forget it."""
        if self.faults.take("id_forgotten", operation):
            return False
        return deletion_id in self.world.deletions

    def require_table(self, table: str) -> None:
        if table not in self.world.schema:
            raise Refused(404, "table not found", "TABLE-NOTFOUND-009")

"""The `identity-delete` API: one operation for all values of a call, with counts (vendor: Identity Deletion guide).

The guide names paths and status words but neither bodies nor keys, so the body's keys are settings and answers are
read tolerantly. Repeating a call is not documented to be safe: a call whose outcome is lost must be looked for in the
list of recent operations.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from connector.lytics.client import LyticsClient, Purpose
from connector.lytics.reconcile import reconcile, require_values
from connector.lytics.wire import correlation_id, followed, object_of, operation_id, operations_of, unreadable
from connector.model import RemoteOperation, RemoteState, RemoteStatus, SubmitAnswer
from connector.private import Private

_ACCEPTED: Final = frozenset({200, 201, 202})
_WORDS: Final = {
    "pending": RemoteState.RUNNING,
    "in_progress": RemoteState.RUNNING,
    "completed": RemoteState.FINISHED,
    "failed": RemoteState.FAILED,
}


@dataclass(frozen=True, slots=True)
class BodyKeys:
    """What the keys of the submitted body are called."""

    table: str = "table"
    field: str = "field"
    values: str = "values"


class IdentityDelete:
    """Fulfils `ports.DeletionApi`."""

    def __init__(self, client: LyticsClient, keys: BodyKeys | None = None) -> None:
        self._client = client
        self._keys = keys or BodyKeys()

    @property
    def repeat_is_safe(self) -> bool:
        return False

    def submit(self, table: str, field: str, values: Sequence[Private]) -> SubmitAnswer:
        """Ask for the deletion of distinct values.

        Raises:
            Temporary: with `outcome_unknown` when Lytics said yes without an id to follow.
        """
        require_values(values)
        keys = self._keys
        body = {keys.table: table, keys.field: field, keys.values: [value.reveal() for value in values]}
        answer = self._client.call(Purpose.SUBMIT, "POST", "identity", "delete", json=body)
        if answer.status not in _ACCEPTED or not answer.body.strip():
            raise unreadable(f"status {answer.status} without an id")
        return _accepted(object_of(answer), values)

    def status(self, remote_id: str) -> RemoteStatus:
        answer = self._client.call(Purpose.FOLLOW, "GET", "identity", "delete", "status", remote_id)
        return followed(object_of(answer), remote_id, _WORDS)

    def recent(self) -> Sequence[RemoteOperation]:
        answer = self._client.call(Purpose.FOLLOW, "GET", "identity", "delete", "status")
        return operations_of(object_of(answer), _WORDS)

    def encoded_bytes(self, table: str, field: str, value: Private) -> int:  # noqa: ARG002 - the port names them
        return len(json.dumps(value.reveal())) + 2


def _accepted(body: dict[str, Any], values: Sequence[Private]) -> SubmitAnswer:
    data, call_id = body.get("data"), correlation_id(body)
    remote_id = operation_id(body, at_top=True)
    maps = data if isinstance(data, dict) else {}
    if isinstance(maps.get("successes"), dict) or isinstance(maps.get("errors"), dict):
        # Not described for this API, but the neighbouring one answers like this.
        found = reconcile(values, maps.get("successes"), maps.get("errors"), correlation_id=call_id)
        if remote_id and not isinstance(maps.get("successes"), dict):
            rest = dict.fromkeys((value for value in values if value in found.unconfirmed), remote_id)
            return replace(found, accepted=rest, unconfirmed=frozenset())
        if found.accepted or found.refused:
            return found
    if not remote_id:
        raise unreadable("accepted without an id of the deletion")
    return SubmitAnswer(accepted=dict.fromkeys(values, remote_id), correlation_id=call_id)

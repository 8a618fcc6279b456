"""The `identity-queue` API: one operation per value (vendor: Bulk User Deletion guide and published v2 specification).

A 202 means that the call was read, not that a value was queued; each value's own entry says that. Repeating a call is
documented to return the original ids, so everything unclear is simply sent again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from connector.lytics.client import LyticsClient, Purpose
from connector.lytics.reconcile import reconcile, require_values
from connector.lytics.wire import correlation_id, followed, object_of, operations_of
from connector.model import RemoteOperation, RemoteState, RemoteStatus, SubmitAnswer
from connector.private import Private

# `initial`, `primary`, `archive` and `secondary` are on the way, the last one explicitly so; a failure has no word.
# A missing word leaves the decision to the flag `completed`, which the specification makes the authority.
_WORDS: Final = {"done": RemoteState.FINISHED, "": RemoteState.FINISHED}


class IdentityQueue:
    """Fulfils `ports.DeletionApi`."""

    def __init__(self, client: LyticsClient) -> None:
        self._client = client

    @property
    def repeat_is_safe(self) -> bool:
        return True

    def submit(self, table: str, field: str, values: Sequence[Private]) -> SubmitAnswer:
        """Ask for the deletion of distinct values. Values that the answer does not mention are unconfirmed."""
        require_values(values)
        body = {"values": [value.reveal() for value in values]}
        answer = self._client.call(Purpose.SUBMIT, "DELETE", "identity", "queue", "bulk", table, field, json=body)
        if not answer.body.strip():
            return SubmitAnswer(accepted={}, unconfirmed=frozenset(values))
        told = object_of(answer)
        data = told.get("data")
        maps = data if isinstance(data, dict) else {}
        return reconcile(values, maps.get("successes"), maps.get("errors"), correlation_id=correlation_id(told))

    def status(self, remote_id: str) -> RemoteStatus:
        answer = self._client.call(Purpose.FOLLOW, "GET", "identity", "deletestatus", remote_id)
        return followed(object_of(answer), remote_id, _WORDS)

    def recent(self) -> Sequence[RemoteOperation]:
        """Return what Lytics lists. The list can confirm; absence from it proves nothing."""
        answer = self._client.call(Purpose.FOLLOW, "GET", "identity", "deletestatus", "list")
        return operations_of(object_of(answer), _WORDS)

    def encoded_bytes(self, table: str, field: str, value: Private) -> int:  # noqa: ARG002 - the port names them
        return len(json.dumps(value.reveal())) + 2

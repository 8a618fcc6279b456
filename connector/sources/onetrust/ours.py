"""Which subtask is ours to report on: the one that a callback named, or the one that bears the configured name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from connector.codes import Code
from connector.errors import Refused
from connector.sources.onetrust.api import CLOSED, OneTrustApi, Subtask, is_reference, is_uuid


@dataclass(frozen=True, slots=True)
class Ours:
    """Finds the subtask of a request.

    Attributes:
        subtask_name: the exact name to look for when a callback brought only the request's reference.
    """

    api: OneTrustApi
    subtask_name: str = ""

    def id_of(self, external: Mapping[str, str]) -> str:
        """Return the subtask's id.

        Raises:
            Refused: it cannot be told for certain.
        """
        subtask_id = external.get("subtask_id", "") or self._identify(external.get("request_ref", ""))
        if not is_uuid(subtask_id):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "the subtask id is not a UUID")
        return subtask_id

    def read(self, external: Mapping[str, str]) -> Subtask:
        """Return the subtask as it stands now."""
        return self.api.subtask(self.id_of(external), external.get("request_ref", ""))

    def _identify(self, request_ref: str) -> str:
        """Return the id of the one subtask of a request that bears the configured name."""
        if not self.subtask_name or not is_reference(request_ref):
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "neither a subtask id, nor a request id with subtask_name")
        named = [one for one in self.api.subtasks_of(request_ref) if one.name == self.subtask_name]
        # A single one is ours even when it is closed: we may have closed it, and lost the answer.
        candidates = named if len(named) == 1 else [one for one in named if one.status not in CLOSED]
        if len(candidates) != 1:
            detail = f"{len(named)} subtasks bear the configured name, {len(candidates)} of them open"
            raise Refused(Code.SUBTASK_NOT_IDENTIFIED, detail)
        return candidates[0].id


def reference_of(subtask: Subtask, external: Mapping[str, str]) -> str:
    """Return the reference of the request that a subtask belongs to.

    Raises:
        Refused: neither OneTrust nor the callback gave one.
    """
    ref = subtask.request_ref or external.get("request_ref", "")
    if not is_reference(ref):
        raise Refused(Code.SUBTASK_NOT_IDENTIFIED, "a subtask without the reference of its request")
    return ref

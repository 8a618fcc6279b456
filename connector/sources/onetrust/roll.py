"""The open subtasks that OneTrust lists as ours: callbacks get lost, and nobody would notice.

Vendor page: Get List of Subtasks (v3). Its filters are words for people, spelled as published; its list comes as a page
object or as a bare array.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final

from connector.codes import Code
from connector.errors import Temporary
from connector.model import Task
from connector.sources.onetrust.api import OPEN, OneTrustApi, Subtask, is_reference, is_uuid
from connector.sources.onetrust.parse import request_keys

_OPEN_WORDS: Final = ("Open", "Not Run", "Assigned", "Unassigned", "In Progress", "Processing", "Failed")
# A system that has more open subtasks than this has other troubles; the next look begins where this one ended.
_MAX_PAGES: Final = 1_000


class OneTrustRoll:
    """Fulfils `ports.Roll`.

    Args:
        system_name: the exact name of our system in OneTrust's integrations; never a part of it.
        workflow_id: the integration workflow that a subtask has to belong to, where the list tells it.
    """

    def __init__(self, api: OneTrustApi, system_name: str, *, workflow_id: str = "") -> None:
        self._api = api
        self._system_name = system_name
        self._workflow_id = workflow_id.lower()

    def open_tasks(self, since: datetime) -> Iterator[Sequence[Task]]:
        """Return the open tasks that changed since a moment, page by page, those that changed first first.

        Raises:
            Misconfigured, Refused, Temporary: as with every call; what was returned before stays good.
        """
        filters = {
            "SystemName": self._system_name,
            "ExactSystemNameMatch": True,
            "SubtaskType": "system",
            "SubtaskStatus": list(_OPEN_WORDS),
            "OpenRequests": True,
            "SubtaskDateUpdated": {"StartDate": f"{since:%Y-%m-%dT%H:%M:%S}.000Z"},
            "language": "en-us",
        }
        seen: set[str] = set()
        for page in range(_MAX_PAGES):
            subtasks, is_last = self._api.filtered_subtasks(filters, page)
            fresh = [one for one in subtasks if one.id not in seen]
            seen.update(one.id for one in fresh)
            yield [_task(one) for one in fresh if self._is_ours(one)]
            # A server that ignores the page number would repeat itself for ever.
            if is_last or not fresh:
                return
        raise Temporary(Code.REMOTE_ANSWER_UNREADABLE, "a list of subtasks without an end")

    def _is_ours(self, one: Subtask) -> bool:
        known = one.workflow_id.lower() in ("", self._workflow_id) if self._workflow_id else True
        return known and one.is_a_systems and one.status in OPEN and is_uuid(one.id)


def _task(one: Subtask) -> Task:
    # As the callback of the same subtask is read, so that both are one request.
    external = {"subtask_id": one.id.lower()}
    if is_reference(one.request_ref):
        external["request_ref"] = one.request_ref
    if is_uuid(one.request_id):
        external["request_id"] = one.request_id.lower()
    return Task(request_keys(external), external, failed=one.status == "FAILED")

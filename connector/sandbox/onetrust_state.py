"""What the fake OneTrust holds: privacy requests, their subtasks, and an append-only history of every status write."""

from __future__ import annotations

import secrets
import string
import threading
import uuid
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Statuses in which nothing is left to do on a subtask.
CLOSED: Final = frozenset({"COMPLETED", "REJECTED", "DELETED"})
_REF_ALPHABET: Final = string.ascii_uppercase + string.digits
DAY_S: Final = 86400.0


@dataclass(slots=True)
class Subtask:
    """The unit of work on a request; `history` only ever grows."""

    id: str
    ref_id: str
    name: str
    type: str
    stage: str
    created_at: float
    updated_at: float
    required: bool = True
    comment_required: bool = False
    resolution_required: bool = False
    system_id: str = ""
    workflow_id: str = ""
    status: str = "OPEN"
    resolution_id: str | None = None
    comments: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, Any]] = field(default_factory=list)

    @property
    def is_closed(self) -> bool:
        return self.status in CLOSED

    def write_status(
        self, status: str, *, at: float, by: str, comment: str | None = None, resolution_id: str | None = None
    ) -> None:
        """Set the status and append what happened. `by`: api, person or workflow."""
        entry = {"at": at, "by": by, "previous": self.status, "status": status, "comment": comment}
        self.history.append(entry | {"resolutionId": resolution_id})
        self.status, self.updated_at = status, at
        self.resolution_id = resolution_id or self.resolution_id
        if comment:
            self.add_comment(comment, at=at, by=by)

    def add_comment(self, text: str, *, at: float, by: str, attachments: list[dict[str, Any]] | None = None) -> None:
        comment = {"commentId": str(uuid.uuid4()), "comment": text, "commenterName": by, "at": at}
        self.comments.append(comment | {"isInternal": True, "attachments": attachments or []})


@dataclass(slots=True)
class DsarRequest:
    """One privacy request with its first subtask's id at hand."""

    ref_id: str
    queue_id: str
    email: str
    first_name: str
    last_name: str
    stage: str
    request_types: list[str]
    subject_types: list[str]
    country_code: str
    created_at: float
    updated_at: float
    deadline: float | None
    test_request: bool = False
    #: Form data, keyed by form label.
    identifiers: dict[str, str] = field(default_factory=dict)
    custom_fields: dict[str, str] = field(default_factory=dict)
    comments: list[dict[str, Any]] = field(default_factory=list)
    paused: bool = False
    days_paused: int = 0
    subtask_id: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """A resolution code; type 10 belongs to requests, 20 to subtasks."""

    id: str
    type: int
    title: str


RESOLUTIONS: Final = (
    Resolution("1f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90", 20, "Erased"),
    Resolution("2f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90", 20, "No data held"),
    Resolution("3f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90", 20, "Refused"),
    Resolution("4f6b7d40-8a49-4c1b-9a55-0b4b1a7d5a90", 10, "Request closed"),
)


class Desk:
    """All requests and subtasks under one lock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.lock = threading.RLock()
        self.requests: dict[str, DsarRequest] = {}
        self.subtasks: dict[str, Subtask] = {}
        self.by_request: dict[str, list[str]] = {}
        self.files: dict[str, dict[str, Any]] = {}
        self.inbound: list[dict[str, Any]] = []

    def add(self, request: DsarRequest, subtask: Subtask) -> None:
        with self.lock:
            if request.ref_id in self.requests or subtask.id in self.subtasks:
                raise ValueError("this request or subtask exists already")
            self.requests[request.ref_id] = request
            self.add_subtask(subtask)
            request.subtask_id = subtask.id

    def add_subtask(self, subtask: Subtask) -> None:
        with self.lock:
            self.subtasks[subtask.id] = subtask
            self.by_request.setdefault(subtask.ref_id, []).append(subtask.id)

    def subtasks_of(self, ref_id: str) -> Iterator[Subtask]:
        """The subtasks of one request, in order of creation."""
        return (self.subtasks[subtask_id] for subtask_id in self.by_request.get(ref_id, ()))

    def new_ref_id(self) -> str:
        """Ten characters, never the same twice: a restarted rehearsal must not look like a duplicate."""
        return "".join(secrets.choice(_REF_ALPHABET) for _ in range(10))

    def summary(self) -> dict[str, Any]:
        """How many subtasks are in each status, how often each was closed over the API, and what came after that."""
        with self.lock:
            statuses = Counter(subtask.status for subtask in self.subtasks.values())
            writes = [[one for one in subtask.history if one["by"] == "api"] for subtask in self.subtasks.values()]
            return {
                "statuses": dict(statuses),
                "times_closed": dict(Counter(sum(one["status"] in CLOSED for one in each) for each in writes)),
                "written_when_closed": sum(one["previous"] in CLOSED for each in writes for one in each),
                "last_written_at": max((one["at"] for each in writes for one in each), default=None),
            }

    def snapshot(self) -> dict[str, Any]:
        with self.lock:
            return {
                "requests": [asdict(request) for request in self.requests.values()],
                "subtasks": {subtask.id: asdict(subtask) for subtask in self.subtasks.values()},
                "files": [dict(entry) for entry in self.files.values()],
                "inbound": [dict(entry) for entry in self.inbound],
            }


def iso(seconds: float | None, style: str = "millis") -> str | None:
    """Render a time in one of the formats that OneTrust uses."""
    if seconds is None:
        return None
    spec = {"millis": "milliseconds", "seconds": "seconds", "micros": "microseconds"}[style]
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec=spec).replace("+00:00", "Z")

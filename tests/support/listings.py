"""A source that lists requests, in a few lines: it shows what it is told to, or fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from connector.codes import Code
from connector.errors import ConnectorError, NotFound
from connector.model import Identity, Listing, Task
from connector.policy.agreement import REFUSED_STAGES
from connector.policy.polling import PollPolicy
from connector.private import Private
from connector.services.rules import BackstopRules, ListingRules
from tests.support.site import START

REF = "K7Q2M9XW4D"


class Lister:
    """Lists what it is told; an error in place of a listing is raised.

    Attributes:
        meanwhile: called while it is being asked.
    """

    def __init__(self, answer: Listing | ConnectorError | None = None) -> None:
        self.answer = answer or NotFound(Code.REMOTE_NOT_FOUND)
        self.asked: list[Mapping[str, str]] = []
        self.meanwhile: Callable[[], None] = lambda: None

    def read(self, external: Mapping[str, str]) -> Listing:
        self.asked.append(dict(external))
        self.meanwhile()
        if isinstance(self.answer, ConnectorError):
            raise self.answer
        return self.answer


class Roll:
    """Lists open tasks by the names of their subtasks; an error in place of a part is raised."""

    def __init__(self, *parts: Sequence[str] | ConnectorError) -> None:
        self.parts = parts
        self.asked: list[datetime] = []

    def open_tasks(self, since: datetime) -> Iterator[Sequence[Task]]:
        self.asked.append(since)
        for part in self.parts:
            if isinstance(part, ConnectorError):
                raise part
            yield [Task((f"subtask:{name}",), {"subtask_id": name}) for name in part]


def looking(roll: Roll) -> BackstopRules:
    """Return the rules under which a site looks through a list."""
    return BackstopRules(roll, every=timedelta(minutes=30), overlap=timedelta(hours=2), first=timedelta(days=7))


def listing(*answers: tuple[str, str], email: str = "s1@example.com", **changes: Any) -> Listing:
    """Return what is listed for a request that may be carried out."""
    found = Listing(
        external={"request_ref": REF},
        request_types=("Data Deletion",),
        identities=(Identity("email", Private(email)),),
        answers=tuple(Identity(kind, Private(value)) for kind, value in answers),
        stage="IN_PROGRESS",
        is_open=True,
        due_at=START + timedelta(days=9),
    )
    return replace(found, **changes)


def asking(lister: Lister) -> ListingRules:
    """Return the rules under which a site asks."""
    return ListingRules(
        lister,
        REFUSED_STAGES,
        closed_is_fine=False,
        visible_within=timedelta(minutes=2),
        again=PollPolicy(900, 2, 21_600),
        every=timedelta(days=1),
    )

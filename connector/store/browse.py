"""Requests for a person who looks through them: numbers up to a bound, and pages by key. Nothing walks a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, func, literal, select, tuple_

from connector.states import OPEN_REQUESTS, RequestState
from connector.store.columns import AnyRow
from connector.store.tables import requests

#: What "due soon" means.
SOON: Final = timedelta(days=7)
_OPEN: Final = tuple(state for state in RequestState if state in OPEN_REQUESTS)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many requests are in which state, and when the open ones are due; no number is above the bound."""

    states: Mapping[RequestState, int]
    late: int
    soon: int


def counts(connection: Connection, now: datetime, most: int) -> Counts:
    """Count requests, each number up to `most` and no further.

    Args:
        most: where counting ends; a number that reaches it means "so many or more".
    """

    def number(state: RequestState, *conditions: Any) -> int:
        some = select(requests.c.id).where(requests.c.state == state, *conditions).limit(most).subquery()
        return connection.scalar(select(func.count()).select_from(some)) or 0

    due = requests.c.due_at
    return Counts(
        states={state: number(state) for state in RequestState},
        late=min(most, sum(number(state, due < now) for state in _OPEN)),
        soon=min(most, sum(number(state, due >= now, due < now + SOON) for state in _OPEN)),
    )


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which requests are listed.

    Attributes:
        states: those in one of these.
        due_from, due_before: those due in between; None for no bound.
        after: those that follow this due date and id; None for the first page.
    """

    states: Sequence[RequestState] = tuple(RequestState)
    due_from: datetime | None = None
    due_before: datetime | None = None
    after: tuple[datetime, str] | None = None


def page(connection: Connection, wanted: Wanted, limit: int) -> Sequence[AnyRow]:
    """Return the next requests by due date and id, at most `limit`.

    In each state they are the first of an index's part, so no more than these are read of each.
    """
    due, key = requests.c.due_at, requests.c.id
    conditions: list[Any] = []
    if wanted.due_from is not None:
        conditions.append(due >= wanted.due_from)
    if wanted.due_before is not None:
        conditions.append(due < wanted.due_before)
    if wanted.after is not None:
        at, last = wanted.after
        conditions.append(tuple_(due, key) > tuple_(literal(at, due.type), literal(last, key.type)))
    rows = [
        row
        for state in wanted.states
        for row in connection.execute(
            select(key, requests.c.source, requests.c.state, requests.c.reason, requests.c.received_at, due)
            .where(requests.c.state == state, *conditions)
            .order_by(due, key)
            .limit(limit)
        )
    ]
    rows.sort(key=lambda row: (row.due_at, row.id))
    return rows[:limit]

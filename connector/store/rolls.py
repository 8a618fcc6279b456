"""How far each source's own list of open tasks was looked through, and which of the tasks are known."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connector.model import Task
from connector.states import ReportState, RequestState
from connector.store import twins
from connector.store.columns import AnyRow
from connector.store.source_tables import rolls
from connector.store.tables import reports, requests

_ENDED_BADLY = (RequestState.PARTIAL, RequestState.FAILED)


def find(connection: Connection, source: str) -> AnyRow | None:
    """Return how far a source was looked through; None if it never was."""
    return connection.execute(select(rolls).where(rolls.c.source == source)).one_or_none()


def note(connection: Connection, source: str, next_at: datetime, seen_until: datetime | None) -> None:
    """Write down when a source is looked through next, and until when it now was, if the look went well.

    The first note needs both.
    """
    values = {"next_at": next_at} | ({} if seen_until is None else {"seen_until": seen_until})
    if connection.execute(update(rolls).where(rolls.c.source == source).values(**values)).rowcount == 0:
        connection.execute(insert(rolls).values(source=source, **values))


def known(connection: Connection, source: str, tasks: Collection[Task]) -> Mapping[str, AnyRow]:
    """Return the requests that are there of tasks, by the keys of these.

    One that came under the name of its whole request is that of a task once the source listed it so; until then nobody
    knows.
    """
    keys = [key for one in tasks for key in one.request_keys]
    rows = connection.execute(select(requests).where(requests.c.source == source, requests.c.request_key.in_(keys)))
    by_key = {row.request_key: row for row in rows}
    found = {}
    for task in tasks:
        own, *wider = (by_key.get(key) for key in task.request_keys)
        of_task = (one for one in wider if one is not None and task.external.items() <= one.external.items())
        row = own or next(of_task, None)
        if row is not None:
            found[task.request_key] = twins.followed(connection, row)
    return found


def told_of_failure(connection: Connection, row: AnyRow) -> bool:
    """Say whether a request ended badly and its source took the report of that: open again, it was opened anew."""
    if row.state not in _ENDED_BADLY:
        return False
    sent = select(reports.c.id).where(
        reports.c.request_id == row.id,
        reports.c.attempt == row.attempt,
        reports.c.final.is_(True),
        reports.c.state == ReportState.SENT,
    )
    return connection.execute(sent.limit(1)).one_or_none() is not None

"""The outbox: what we owe the sources, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connector.ids import new_id
from connector.model import SourceStatus
from connector.states import ReportState
from connector.store.columns import AnyRow
from connector.store.moves import move, parts
from connector.store.tables import reports, requests


def owe(connection: Connection, owed: Sequence[tuple[AnyRow, SourceStatus, str]], now: datetime) -> None:
    """Put reports into the outbox. Each makes those of the same request that were not sent yet pointless.

    Args:
        owed: at most one per request: its row, the status to report, and the comment.
    """
    supersede(connection, [request.id for request, _, _ in owed], now)
    rows = [
        {
            "id": new_id(now),
            "request_id": request.id,
            "source": request.source,
            "attempt": request.attempt,
            "final": status is not SourceStatus.IN_PROGRESS,
            "status": status,
            "comment": comment,
            "state": ReportState.QUEUED,
            "next_at": now,
            "created_at": now,
        }
        for request, status, comment in owed
    ]
    if rows:
        connection.execute(insert(reports), rows)


def has_progress(connection: Connection, request_id: str, attempt: int) -> bool:
    """Say whether this attempt's progress report was written before."""
    return (
        connection.execute(
            select(reports.c.id).where(
                reports.c.request_id == request_id, reports.c.attempt == attempt, reports.c.final.is_(False)
            )
        ).first()
        is not None
    )


def to_send(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return the reports of a source that are due, longest waiting first, with the source's own ids."""
    return connection.execute(
        select(reports, requests.c.external, requests.c.callback_url)
        .join(requests, requests.c.id == reports.c.request_id)
        .where(reports.c.source == source, reports.c.state == ReportState.QUEUED, reports.c.next_at <= now)
        .order_by(reports.c.next_at, reports.c.id)
        .limit(limit)
    ).all()


def still_queued(connection: Connection, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Return those of the reports read before that have not been sent or superseded meanwhile."""
    ids = [row.id for row in rows]
    found = set(
        connection.scalars(select(reports.c.id).where(reports.c.id.in_(ids), reports.c.state == ReportState.QUEUED))
    )
    return [row for row in rows if row.id in found]


def supersede(connection: Connection, request_ids: Collection[str], now: datetime) -> None:
    """Drop the reports of requests that were not sent yet: what comes next makes them pointless."""
    for part in parts(request_ids):
        ids = connection.scalars(
            select(reports.c.id).where(reports.c.request_id.in_(part), reports.c.state == ReportState.QUEUED)
        ).all()
        move(connection, reports, ids, ReportState.QUEUED, ReportState.SUPERSEDED, ended_at=now)


def end_report(connection: Connection, report_id: str, new: ReportState, now: datetime, reason: str = "") -> bool:
    """End a report; False if it was superseded meanwhile."""
    return (
        move(
            connection,
            reports,
            [report_id],
            ReportState.QUEUED,
            new,
            ended_at=now,
            reason=reason,
            tries=reports.c.tries + 1,
        )
        == 1
    )


def try_again(connection: Connection, report_id: str, next_at: datetime, reason: str, *, counted: bool) -> None:
    """Set a report's next try, and count the one that failed."""
    connection.execute(
        update(reports)
        .where(reports.c.id == report_id, reports.c.state == ReportState.QUEUED)
        .values(next_at=next_at, tries=reports.c.tries + int(counted), reason=reason)
    )


def revive(connection: Connection, request_id: str, attempt: int, now: datetime) -> int:
    """Queue this attempt's dead reports again: the source asks for the same request once more."""
    ids = connection.scalars(
        select(reports.c.id).where(
            reports.c.request_id == request_id,
            reports.c.attempt == attempt,
            reports.c.final.is_(True),
            reports.c.state == ReportState.DEAD,
        )
    ).all()
    return move(
        connection, reports, ids, ReportState.DEAD, ReportState.QUEUED, next_at=now, tries=0, reason="", ended_at=None
    )

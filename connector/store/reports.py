"""The outbox: what we owe the sources, and what became of it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connector.ids import new_id
from connector.model import SourceStatus
from connector.states import ReportState
from connector.store.columns import AnyRow
from connector.store.moves import move
from connector.store.tables import reports, requests


def owe(
    connection: Connection, request: AnyRow, *, attempt: int, status: SourceStatus, comment: str, now: datetime
) -> None:
    """Put a report into the outbox. A final report makes a progress report that was not sent yet pointless."""
    final = status is not SourceStatus.IN_PROGRESS
    waiting = connection.execute(
        select(reports.c.id, reports.c.attempt, reports.c.final).where(
            reports.c.request_id == request.id, reports.c.state == ReportState.QUEUED
        )
    ).all()
    older = [one.id for one in waiting if one.attempt < attempt or final]
    move(connection, reports, older, ReportState.QUEUED, ReportState.SUPERSEDED, ended_at=now)
    connection.execute(
        insert(reports).values(
            id=new_id(now),
            request_id=request.id,
            source=request.source,
            attempt=attempt,
            final=final,
            status=status,
            comment=comment,
            state=ReportState.QUEUED,
            next_at=now,
            created_at=now,
        )
    )


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
        select(reports, requests.c.external)
        .join(requests, requests.c.id == reports.c.request_id)
        .where(reports.c.source == source, reports.c.state == ReportState.QUEUED, reports.c.next_at <= now)
        .order_by(reports.c.next_at, reports.c.id)
        .limit(limit)
    ).all()


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


def try_again(connection: Connection, report_id: str, next_at: datetime, reason: str) -> None:
    """Set a report's next try."""
    connection.execute(
        update(reports)
        .where(reports.c.id == report_id, reports.c.state == ReportState.QUEUED)
        .values(next_at=next_at, tries=reports.c.tries + 1, reason=reason)
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

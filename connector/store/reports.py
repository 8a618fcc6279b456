"""The outbox: what we owe the sources, and what became of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, text, update

from connector.ids import new_id
from connector.model import SourceStatus
from connector.states import ReportState
from connector.store import follow_ons, vault
from connector.store.columns import AnyRow
from connector.store.moves import move, parts, still
from connector.store.tables import reports, requests

_ADD = insert(reports)
# Word for word as in the index that answers it.
_REMINDED = text("remind_at IS NOT NULL")


def owe(connection: Connection, owed: Sequence[tuple[AnyRow, SourceStatus, str]], now: datetime) -> None:
    """Put reports into the outbox. Each makes those of the same request that were not sent yet pointless.

    Args:
        owed: at most one per request: its row, the status to report, and the comment. Of a follow-on no source knows,
            so it is told nothing of it.
    """
    ours = follow_ons.among(connection, [request.id for request, _, _ in owed])
    owed = [one for one in owed if one[0].id not in ours]
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
        connection.execute(_ADD, rows)


def with_progress(connection: Connection, rows: Sequence[AnyRow]) -> set[str]:
    """Return the ids of those of the requests for whose present attempt a progress report was written before."""
    attempts = {one.id: one.attempt for one in rows}
    found: set[str] = set()
    for part in parts(attempts):
        written = connection.execute(
            select(reports.c.request_id, reports.c.attempt).where(
                reports.c.request_id.in_(part), reports.c.final.is_(False)
            )
        )
        found |= {request_id for request_id, attempt in written if attempts[request_id] == attempt}
    return found


def to_send(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return the reports of a source that are due, longest waiting first, with the source's own ids."""
    rows = connection.execute(
        select(reports, requests.c.external, requests.c.callback_url, requests.c.due_at, requests.c.kind)
        .join(requests, requests.c.id == reports.c.request_id)
        .where(reports.c.source == source, reports.c.state == ReportState.QUEUED, reports.c.next_at <= now)
        .order_by(reports.c.next_at, reports.c.id)
        .limit(limit)
    ).all()
    return vault.opened(connection, rows, requests.c.callback_url, row_id="request_id")


def still_queued(connection: Connection, rows: Sequence[AnyRow]) -> list[AnyRow]:
    """Return those of the reports read before that have not been sent or superseded meanwhile."""
    ids = [row.id for row in rows]
    found = set(connection.scalars(select(reports.c.id).where(still(reports, ids, ReportState.QUEUED))))
    return [row for row in rows if row.id in found]


def supersede(connection: Connection, request_ids: Collection[str], now: datetime) -> None:
    """End the reports of requests that never arrived, given up or not: what comes next makes them pointless."""
    for part in parts(request_ids):
        for old in (ReportState.QUEUED, ReportState.DEAD):
            ids = connection.scalars(
                select(reports.c.id).where(reports.c.request_id.in_(part), reports.c.state == old)
            ).all()
            move(connection, reports, ids, old, ReportState.SUPERSEDED, ended_at=now)


def end_reports(connection: Connection, ids: Collection[str], new: ReportState, now: datetime, reason: str = "") -> int:
    """End reports; return how many: one that was superseded meanwhile is left alone."""
    tries = reports.c.tries + 1
    return move(connection, reports, ids, ReportState.QUEUED, new, ended_at=now, reason=reason, tries=tries)


def try_again(connection: Connection, report_id: str, next_at: datetime, reason: str, *, counted: bool) -> None:
    """Set a report's next try, and count the one that failed."""
    connection.execute(
        update(reports)
        .where(reports.c.id == report_id, reports.c.state == ReportState.QUEUED)
        .values(next_at=next_at, tries=reports.c.tries + int(counted), reason=reason)
    )


def keep_evidence(connection: Connection, report_id: str, evidence: Mapping[str, str]) -> None:
    """Write down which file holds a report's evidence; what stands there already stays."""
    connection.execute(
        update(reports).where(reports.c.id == report_id, reports.c.evidence.is_(None)).values(evidence=dict(evidence))
    )


def to_remind(connection: Connection, source: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return the progress reports of a source whose reminder is due, locked, each with what its request is by now."""
    return connection.execute(
        select(
            reports.c.id,
            reports.c.request_id,
            reports.c.attempt,
            requests.c.attempt.label("present_attempt"),
            requests.c.state,
            requests.c.kind,
            requests.c.external,
            requests.c.received_at,
            requests.c.due_at,
        )
        .join(requests, requests.c.id == reports.c.request_id)
        .where(_REMINDED, reports.c.source == source, reports.c.remind_at <= now)
        .order_by(reports.c.remind_at, reports.c.id)
        .limit(limit)
        .with_for_update(of=reports, skip_locked=True)
    ).all()


def remind(connection: Connection, ids: Collection[str], at: datetime | None) -> None:
    """Set when people are told again that the work goes on; None ends it."""
    for part in parts(ids):
        connection.execute(update(reports).where(reports.c.id.in_(part)).values(remind_at=at))


def revive(connection: Connection, request_id: str, attempt: int, now: datetime, *, told: bool) -> int:
    """Queue this attempt's last report again if it was given up: the source asks for the same request once more.

    That outweighs an operator's decision not to send it.

    Args:
        told: whether one that was sent, or met another decision, is sent again as well.
    """
    revived = 0
    again = (ReportState.SENT, ReportState.CONFLICT) if told else ()
    for old in (ReportState.DEAD, ReportState.DROPPED, *again):
        ids = connection.scalars(
            select(reports.c.id).where(
                reports.c.request_id == request_id,
                reports.c.attempt == attempt,
                reports.c.final.is_(True),
                reports.c.state == old,
            )
        ).all()
        revived += queue_again(connection, ids, old, now)
    return revived


def drop(connection: Connection, report_id: str, now: datetime, reason: str) -> bool:
    """Let a dead report rest, with an operator's reason; False if it is not dead any more."""
    values = {"ended_at": now, "reason": reason}
    return move(connection, reports, [report_id], ReportState.DEAD, ReportState.DROPPED, **values) == 1


def queue_again(connection: Connection, ids: Collection[str], old: ReportState, now: datetime) -> int:
    """Queue reports that were given up or dropped, as if they had never been tried; return how many moved."""
    again = {"next_at": now, "tries": 0, "reason": "", "ended_at": None}
    return move(connection, reports, ids, old, ReportState.QUEUED, **again)

"""Dead letters: reports that were given up, and requests that ended without all that was asked for.

A dead report has a state of its own. A request that ended partial or failed is one as it stands; that an operator lets
it rest is written into its reason. Nothing is ever removed from here, and no personal value is read.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from connector.states import ReportState, RequestState, TargetState
from connector.store.columns import AnyRow
from connector.store.tables import history, reports, requests, targets

#: How the reason of a request begins that an operator lets rest.
DROPPED_REQUEST: Final = "dropped: "
#: States of a request that ended without all that was asked for.
UNFULFILLED: Final = (RequestState.PARTIAL, RequestState.FAILED)
#: States of a target that was not deleted although it was asked for.
UNFULFILLED_TARGETS: Final = (TargetState.REFUSED, TargetState.FAILED)
_HEX: Final = re.compile("[0-9a-f]{1,32}")
_ID_CHARS: Final = 32
_MAX_REASON_CHARS: Final = 64


class Kind(StrEnum):
    """What a dead letter is."""

    REPORT = "report"
    REQUEST = "request"


@dataclass(frozen=True, slots=True)
class Letter:
    """One thing that was given up.

    Attributes:
        id: of the report or the request.
        reason: a code, or the reasons of a request's targets; an operator's words once it is dropped.
        status: what a report was to tell the source.
        ended_at: since when it is so.
        refused: how many targets of a request Lytics did not take.
        failed: how many targets of a request failed.
    """

    id: str
    kind: Kind
    source: str
    request_id: str
    attempt: int
    state: str
    dropped: bool
    reason: str
    due_at: datetime
    ended_at: datetime | None
    status: str = ""
    tries: int = 0
    refused: int = 0
    failed: int = 0


def listed(
    connection: Connection,
    *,
    kinds: Collection[Kind] = tuple(Kind),
    source: str | None = None,
    dropped: bool = False,
    after: str = "",
    limit: int,
) -> list[Letter]:
    """Return dead letters by their ids, which is by age, the oldest first.

    Args:
        dropped: those that operators dropped, instead of those that wait for one.
        after: only what comes after this id.
    """
    found: list[Letter] = []
    if Kind.REPORT in kinds:
        state = ReportState.DROPPED if dropped else ReportState.DEAD
        found += _reports(connection, limit, reports.c.state == state, reports.c.id > after, *_of(reports, source))
    if Kind.REQUEST in kinds:
        rests = is_dropped() if dropped else ~is_dropped()
        found += _requests(
            connection, limit, requests.c.state.in_(UNFULFILLED), rests, requests.c.id > after, *_of(requests, source)
        )
    return sorted(found, key=lambda one: one.id)[:limit]


def find(connection: Connection, name: str) -> list[Letter]:
    """Return the dead letters, dropped ones included, whose id is `name` or begins so; at most two.

    A whole id is found in any state, so that it can be said what has become of it.
    """
    wanted = name.lower()
    if not _HEX.fullmatch(wanted):
        return []
    last = f"{wanted}g"
    found = [
        *_reports(
            connection,
            2,
            reports.c.state.in_((ReportState.DEAD, ReportState.DROPPED)),
            reports.c.id >= wanted,
            reports.c.id < last,
        ),
        *_requests(connection, 2, requests.c.state.in_(UNFULFILLED), requests.c.id >= wanted, requests.c.id < last),
    ]
    if found or len(wanted) < _ID_CHARS:
        return found[:2]
    return [*_reports(connection, 1, reports.c.id == wanted), *_requests(connection, 1, requests.c.id == wanted)]


def is_dropped() -> ColumnElement[bool]:
    """Return the condition that an operator lets a request rest."""
    return requests.c.reason.startswith(DROPPED_REQUEST, autoescape=True)


def rows_of(connection: Connection, letter: Letter, *, lock: bool) -> tuple[AnyRow, AnyRow | None]:
    """Return the rows of a dead letter as they are now: its request's, and its report's if it is one.

    Args:
        lock: whether they are to stay so until the end of this transaction.
    """
    request = select(requests).where(requests.c.id == letter.request_id)
    report = select(reports).where(reports.c.id == letter.id)
    if lock:
        request, report = request.with_for_update(), report.with_for_update()
    owner = connection.execute(request).one()
    return owner, connection.execute(report).one() if letter.kind is Kind.REPORT else None


def is_overtaken(connection: Connection, report: AnyRow, request: AnyRow) -> bool:
    """Say whether a report has nothing to tell any more: a later attempt has begun, or the final report is written."""
    if report.attempt != request.attempt:
        return True
    final = select(reports.c.id).where(
        reports.c.request_id == request.id, reports.c.attempt == report.attempt, reports.c.final.is_(True)
    )
    return not report.final and connection.execute(final).first() is not None


def let_rest(connection: Connection, row: AnyRow, reason: str) -> bool:
    """Write down that a locked request stays as it ended. False if it has moved on."""
    changed = connection.execute(
        update(requests)
        .where(requests.c.id == row.id, requests.c.state == row.state, requests.c.attempt == row.attempt)
        .values(reason=reason)
    )
    return changed.rowcount == 1


def note(connection: Connection, row: AnyRow, now: datetime, reason: str) -> None:
    """Write into a request's history what an operator did, its state unchanged."""
    values = {"request_id": row.id, "at": now, "state": row.state, "attempt": row.attempt}
    connection.execute(insert(history), values | {"reason": reason[:_MAX_REASON_CHARS]})


def _of(table: Any, source: str | None) -> list[ColumnElement[bool]]:
    return [] if source is None else [table.c.source == source]


def _reports(connection: Connection, limit: int, *conditions: ColumnElement[bool]) -> list[Letter]:
    rows = connection.execute(
        select(reports, requests.c.due_at)
        .join(requests, requests.c.id == reports.c.request_id)
        .where(*conditions)
        .order_by(reports.c.id)
        .limit(limit)
    )
    return [
        Letter(
            id=row.id,
            kind=Kind.REPORT,
            source=row.source,
            request_id=row.request_id,
            attempt=row.attempt,
            state=row.state.value,
            dropped=row.state is ReportState.DROPPED,
            reason=row.reason,
            due_at=row.due_at,
            ended_at=row.ended_at,
            status=row.status.value,
            tries=row.tries,
        )
        for row in rows
    ]


def _requests(connection: Connection, limit: int, *conditions: ColumnElement[bool]) -> list[Letter]:
    rows = connection.execute(select(requests).where(*conditions).order_by(requests.c.id).limit(limit)).all()
    ended = _ended_targets(connection, [row.id for row in rows])
    letters = []
    for row in rows:
        dropped = row.state in UNFULFILLED and row.reason.startswith(DROPPED_REQUEST)
        of_targets = ended[row.id]
        reasons = ", ".join(sorted({one.reason for one in of_targets if one.reason}))
        letters.append(
            Letter(
                id=row.id,
                kind=Kind.REQUEST,
                source=row.source,
                request_id=row.id,
                attempt=row.attempt,
                state=row.state.value,
                dropped=dropped,
                reason=row.reason.removeprefix(DROPPED_REQUEST) if dropped else reasons,
                due_at=row.due_at,
                ended_at=row.finished_at,
                refused=sum(one.number for one in of_targets if one.state is TargetState.REFUSED),
                failed=sum(one.number for one in of_targets if one.state is TargetState.FAILED),
            )
        )
    return letters


def _ended_targets(connection: Connection, request_ids: Sequence[str]) -> dict[str, list[AnyRow]]:
    """Return for each request how many of its targets ended unfulfilled, by state and reason."""
    found: dict[str, list[AnyRow]] = defaultdict(list)
    rows = connection.execute(
        select(targets.c.request_id, targets.c.state, targets.c.reason, func.count().label("number"))
        .where(targets.c.request_id.in_(request_ids), targets.c.state.in_(UNFULFILLED_TARGETS))
        .group_by(targets.c.request_id, targets.c.state, targets.c.reason)
    )
    for row in rows:
        found[row.request_id].append(row)
    return found

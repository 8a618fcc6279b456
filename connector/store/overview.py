"""What an operator asks to see: counts over everything, and one request in full. No personal value is read here."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, func, select, true

from connector.policy.retry import PRESSING
from connector.states import (
    FINISHED_REQUESTS,
    OPEN_REQUESTS,
    TERMINAL_TARGETS,
    OperationState,
    ReportState,
    RequestState,
    TargetState,
    WatchState,
)
from connector.store import twins, watched
from connector.store.columns import AnyRow
from connector.store.dead_letters import UNFULFILLED, is_dropped
from connector.store.tables import (
    deliveries,
    history,
    identities,
    operations,
    reports,
    requests,
    submissions,
    targets,
)

_HEX: Final = re.compile("[0-9a-f]{1,32}")
# The indexes that begin with the account hold one part of the targets each.
_PARTS_OF_TARGETS: Final = (targets.c.known_before.is_(None), targets.c.known_before.is_not(None))
_OPEN = tuple(state for state in RequestState if state in OPEN_REQUESTS)


@dataclass(frozen=True, slots=True)
class Overview:
    """Counts by state for each machine, and what needs a person's attention."""

    requests: Mapping[str, int]
    targets: Mapping[str, int]
    submissions: Mapping[str, int]
    operations: Mapping[str, int]
    reports: Mapping[str, int]
    deliveries: int
    held_by_reason: Mapping[str, int]
    late: int
    due_within_7_days: int
    next_due: datetime | None
    unfulfilled: int = 0
    unreported_due: int = 0
    overdue_operations: int = 0
    returned: int = 0


def overview(connection: Connection, now: datetime, patience: Mapping[str, timedelta] | None = None) -> Overview:
    """Count everything as it stands now.

    Args:
        patience: by account, for how long an operation at Lytics may run before it counts as overdue.
    """
    is_open = requests.c.state.in_(_OPEN)

    def number(*conditions: Any) -> int:
        return connection.scalar(select(func.count()).select_from(requests).where(*conditions)) or 0

    held = connection.execute(
        select(requests.c.reason, func.count()).where(requests.c.state == RequestState.HELD).group_by(requests.c.reason)
    )
    soon = now + timedelta(days=7)
    return Overview(
        requests=_by_state(connection, requests),
        targets=_by_state(connection, targets),
        submissions=_by_state(connection, submissions),
        operations=_by_state(connection, operations),
        reports=_by_state(connection, reports),
        deliveries=connection.scalar(select(func.count()).select_from(deliveries)) or 0,
        held_by_reason={row[0]: row[1] for row in held},
        late=number(is_open, requests.c.due_at < now),
        due_within_7_days=number(is_open, requests.c.due_at >= now, requests.c.due_at < soon),
        next_due=_next_due(connection),
        unfulfilled=number(requests.c.state.in_(UNFULFILLED), ~is_dropped()),
        unreported_due=_unreported(connection, now + PRESSING),
        overdue_operations=sum(_running_since(connection, one, now - age) for one, age in (patience or {}).items()),
        returned=watched.count(connection, WatchState.RETURNED),
    )


def _next_due(connection: Connection) -> datetime | None:
    """Return the earliest due date of an open request: the first one of each state, which an index begins with."""
    firsts = [connection.scalar(select(func.min(requests.c.due_at)).where(requests.c.state == one)) for one in _OPEN]
    return min((one for one in firsts if one is not None), default=None)


def _unreported(connection: Connection, until: datetime) -> int:
    """Count the last reports that failed at least once, of requests whose due date is near or past."""
    failing = (reports.c.state == ReportState.QUEUED, reports.c.tries > 0, reports.c.final.is_(True))
    joined = reports.join(requests, requests.c.id == reports.c.request_id)
    return connection.scalar(select(func.count()).select_from(joined).where(*failing, requests.c.due_at < until)) or 0


def _running_since(connection: Connection, account: str, since: datetime) -> int:
    running = (operations.c.account == account, operations.c.state == OperationState.RUNNING)
    counted = select(func.count()).select_from(operations).where(*running, operations.c.started_at < since)
    return connection.scalar(counted) or 0


def left_out(
    connection: Connection, sources: Collection[str], accounts: Collection[str]
) -> Sequence[tuple[str, str, int]]:
    """Return what no step will touch while the configuration stays as it is.

    Returns:
        `source` or `account`, its name, and how many requests, unsent reports or targets on their way belong to it.
    """
    open_targets = [one for one in TargetState if one not in TERMINAL_TARGETS]
    everywhere = (true(),)
    questions = (
        ("source", requests.c.source, requests.c.state.in_(_OPEN), everywhere, sources),
        ("source", reports.c.source, reports.c.state == ReportState.QUEUED, everywhere, sources),
        ("account", targets.c.account, targets.c.state.in_(open_targets), _PARTS_OF_TARGETS, accounts),
    )
    found = []
    for what, column, waiting, pieces, known in questions:
        names = {name for piece in pieces for name in _distinct(connection, column, piece)}
        for name in sorted(names - set(known)):
            counts = (select(func.count()).where(column == name, waiting, piece) for piece in pieces)
            number = sum(connection.scalar(one) or 0 for one in counts)
            found += [(what, name, number)] if number else []
    return found


def _distinct(connection: Connection, column: ColumnElement[str], condition: ColumnElement[bool]) -> Iterator[str]:
    """Give the few different values of a column that an index begins with, by one look-up each."""
    found = connection.scalar(select(func.min(column)).where(condition))
    while found is not None:
        yield found
        found = connection.scalar(select(func.min(column)).where(condition, column > found))


def needing_attention(connection: Connection, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return open requests, those past their due date and held ones first, then the most urgent."""
    # In each state the most urgent are the first of what is asked for, so no more than these can be among them.
    rows = [
        row
        for state in _OPEN
        for row in connection.execute(
            select(requests).where(requests.c.state == state).order_by(requests.c.due_at, requests.c.id).limit(limit)
        )
    ]
    rows.sort(key=lambda row: (row.due_at >= now, row.state is not RequestState.HELD, row.due_at, row.id))
    return rows[:limit]


def with_ended_reports(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Return finished requests whose final report was given up or met another decision, the latest first."""
    return connection.execute(
        select(requests)
        .join(reports, reports.c.request_id == requests.c.id)
        .where(
            reports.c.state.in_((ReportState.DEAD, ReportState.CONFLICT)),
            reports.c.attempt == requests.c.attempt,
            requests.c.state.in_(FINISHED_REQUESTS),
        )
        .order_by(reports.c.request_id.desc())
        .limit(limit)
    ).all()


def find(connection: Connection, name: str) -> Sequence[AnyRow]:
    """Return the requests that go by a name: our id or a beginning of it, or one of the source's own ids.

    One that ended because another is the same is found by our id; by the source's ids that other one is.
    """
    if rows := find_by_key(connection, name):
        return rows
    external = [requests.c.external[key].as_string() == name for key in ("request_ref", "subtask_id", "request_id")]
    for condition in external:
        rows = connection.execute(select(requests).where(condition).limit(3)).all()
        if rows:
            return _standing(connection, rows)
    return []


def find_by_key(connection: Connection, name: str) -> Sequence[AnyRow]:
    """Return the requests that `find` would, as far as an index leads to them: nothing of a long history is walked."""
    if _HEX.fullmatch(name.lower()):
        # Between its beginning and what follows on all that begin so: every database answers that by its index.
        first, last = name.lower(), f"{name.lower()}g"
        rows = connection.execute(
            select(requests).where(requests.c.id >= first, requests.c.id < last).order_by(requests.c.id).limit(2)
        ).all()
        if rows:
            return rows
    keys = [f"subtask:{name.lower()}", f"request:{name.upper()}"]
    sources = [*_distinct(connection, requests.c.source, true())]
    by_key = connection.execute(
        select(requests).where(requests.c.source.in_(sources), requests.c.request_key.in_(keys)).limit(2)
    ).all()
    return _standing(connection, by_key)


def _standing(connection: Connection, rows: Sequence[AnyRow]) -> Sequence[AnyRow]:
    found = (twins.followed(connection, row) for row in rows)
    return list({row.id: row for row in found}.values())


@dataclass(frozen=True, slots=True)
class Dossier:
    """One request with everything that belongs to it, but no personal value."""

    request: AnyRow
    history: Sequence[AnyRow]
    deliveries: Sequence[AnyRow]
    identities: Sequence[AnyRow]
    targets: Sequence[AnyRow]
    reports: Sequence[AnyRow]


def dossier(connection: Connection, request: AnyRow) -> Dossier:
    """Collect one request's rows, oldest first."""

    def of(table: Table, *columns: Any) -> Sequence[AnyRow]:
        wanted = columns or (table,)
        return connection.execute(select(*wanted).where(table.c.request_id == request.id).order_by(table.c.id)).all()

    return Dossier(
        request=request,
        history=of(history),
        deliveries=of(deliveries),
        identities=of(identities, identities.c.id, identities.c.kind, identities.c.state, identities.c.reason),
        targets=connection.execute(
            select(
                targets.c.id,
                targets.c.identity_id,
                targets.c.account,
                targets.c.lytics_table,
                targets.c.field,
                targets.c.state,
                targets.c.reason,
                targets.c.known_before,
                targets.c.strangers,
                targets.c.strangers_in,
                targets.c.submission_id,
                targets.c.tries,
                targets.c.next_at,
                operations.c.remote_id,
                operations.c.word,
                operations.c.requested,
                operations.c.deleted,
            )
            .outerjoin(operations, operations.c.id == targets.c.operation_id)
            .where(targets.c.request_id == request.id)
            .order_by(targets.c.id)
        ).all(),
        reports=of(reports),
    )


def as_dict(row: AnyRow) -> dict[str, Any]:
    """Return a row's columns by name."""
    return dict(row._mapping)  # noqa: SLF001 - the documented name


def _by_state(connection: Connection, table: Table) -> dict[str, int]:
    rows = connection.execute(select(table.c.state, func.count()).group_by(table.c.state))
    return {str(row[0].value): row[1] for row in rows}

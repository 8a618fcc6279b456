"""Targets on their way: which are due for what, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, select, update

from connector.model import Presence
from connector.states import RequestState, TargetState
from connector.store.columns import AnyRow
from connector.store.moves import move
from connector.store.tables import operations, requests, targets

# Only targets of requests that no person has to look at first.
_FREE = (RequestState.QUEUED, RequestState.WORKING)


def to_look_up_before(connection: Connection, account: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return queued targets that were not looked up yet, most urgent first."""
    return connection.execute(
        select(targets.c.id, targets.c.lytics_table, targets.c.field, targets.c.value, targets.c.looks)
        .join(requests, requests.c.id == targets.c.request_id)
        .where(
            targets.c.account == account,
            targets.c.state == TargetState.QUEUED,
            targets.c.next_at <= now,
            targets.c.known_before.is_(None),
            requests.c.state.in_(_FREE),
        )
        .order_by(targets.c.due_at, targets.c.id)
        .limit(limit)
    ).all()


def set_known_before(connection: Connection, ids: Sequence[str], presence: Presence) -> None:
    """Write down what the look-up before the deletion said."""
    connection.execute(
        update(targets)
        .where(targets.c.id.in_(ids), targets.c.state == TargetState.QUEUED)
        .values(known_before=presence, looks=0)
    )


def to_submit(connection: Connection, account: str, now: datetime, limit: int, *, looked_up: bool) -> Sequence[AnyRow]:
    """Return queued targets that may be submitted now, most urgent first.

    Args:
        looked_up: whether only targets that were looked up before may go.
    """
    conditions = [
        targets.c.account == account,
        targets.c.state == TargetState.QUEUED,
        targets.c.next_at <= now,
        requests.c.state.in_(_FREE),
    ]
    if looked_up:
        conditions.append(targets.c.known_before.is_not(None))
    return connection.execute(
        select(
            targets.c.id,
            targets.c.request_id,
            targets.c.lytics_table,
            targets.c.field,
            targets.c.value,
            targets.c.value_hash,
            targets.c.tries,
            targets.c.batch_cap,
            targets.c.entered_at,
        )
        .join(requests, requests.c.id == targets.c.request_id)
        .where(*conditions)
        .order_by(targets.c.due_at, targets.c.id)
        .limit(limit)
    ).all()


def to_confirm(connection: Connection, account: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return targets whose deletion Lytics calls finished and whose look-up is due, longest waiting first."""
    return connection.execute(
        select(
            targets.c.id,
            targets.c.request_id,
            targets.c.lytics_table,
            targets.c.field,
            targets.c.value,
            targets.c.known_before,
            targets.c.looks,
            targets.c.entered_at,
            operations.c.requested,
            operations.c.deleted,
        )
        .join(operations, operations.c.id == targets.c.operation_id)
        .where(
            targets.c.account == account,
            targets.c.state == TargetState.CONFIRMING,
            targets.c.next_at <= now,
        )
        .order_by(targets.c.next_at, targets.c.id)
        .limit(limit)
    ).all()


def look_again(connection: Connection, ids: Sequence[str], state: TargetState, next_at: datetime) -> None:
    """Set when targets that stay in `state` are looked at next, and count the look."""
    connection.execute(
        update(targets)
        .where(targets.c.id.in_(ids), targets.c.state == state)
        .values(next_at=next_at, looks=targets.c.looks + 1)
    )


def end(
    connection: Connection, ids: Sequence[str], old: TargetState, new: TargetState, now: datetime, reason: str = ""
) -> int:
    """Move targets to a terminal state; return how many moved."""
    return move(connection, targets, ids, old, new, reason=reason, entered_at=now)


def begin_confirming(connection: Connection, ids: Sequence[str], now: datetime, next_at: datetime) -> int:
    """Let the look-up decide about targets whose deletion Lytics calls finished; return how many moved."""
    return move(
        connection,
        targets,
        ids,
        TargetState.SUBMITTED,
        TargetState.CONFIRMING,
        next_at=next_at,
        looks=0,
        entered_at=now,
    )


def queue_again(
    connection: Connection,
    ids: Sequence[str],
    old: TargetState,
    now: datetime,
    next_at: datetime,
    *,
    reason: str,
    batch_cap: int | None = None,
) -> int:
    """Put targets back into the queue with one more try on their count; return how many moved."""
    values: dict[str, Any] = {"batch_cap": batch_cap} if batch_cap is not None else {}
    return move(
        connection,
        targets,
        ids,
        old,
        TargetState.QUEUED,
        reason=reason,
        submission_id=None,
        operation_id=None,
        tries=targets.c.tries + 1,
        looks=0,
        next_at=next_at,
        entered_at=now,
        **values,
    )


def of_operation(connection: Connection, operation_id: str, state: TargetState) -> Sequence[AnyRow]:
    """Return an operation's targets in `state`."""
    return connection.execute(
        select(targets.c.id, targets.c.request_id, targets.c.tries).where(
            targets.c.operation_id == operation_id, targets.c.state == state
        )
    ).all()


def of_submission(connection: Connection, submission_id: str, state: TargetState) -> Sequence[AnyRow]:
    """Return a submission's targets in `state`, with their values."""
    return connection.execute(
        select(targets.c.id, targets.c.request_id, targets.c.value, targets.c.tries).where(
            targets.c.submission_id == submission_id, targets.c.state == state
        )
    ).all()

"""Who was found again after their deletion, and what became of that."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select, text, update

from connector.ids import new_id
from connector.states import ReturnState, TargetState
from connector.store.columns import AnyRow
from connector.store.moves import move, parts
from connector.store.tables import requests, targets
from connector.store.watch_tables import follow_ons, returns, suppressions

# Word for word as in the index that answers it.
_PENDING: Final = text("returns.state = 'pending'")
_MAX_REASON_CHARS: Final = 64


def add(
    connection: Connection, watch: AnyRow, now: datetime, *, follow_on_id: str | None = None, reason: str = ""
) -> None:
    """Write down that somebody was found again."""
    alarmed = follow_on_id is None
    connection.execute(
        insert(returns).values(
            id=new_id(now),
            suppression_id=watch.id,
            request_id=watch.request_id,
            state=ReturnState.NOT_DELETED if alarmed else ReturnState.PENDING,
            reason=reason,
            found_at=now,
            follow_on_id=follow_on_id,
            ended_at=now if alarmed else None,
            look_at=now,
        )
    )


def to_resolve(connection: Connection, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return deletions of who came back that are to be looked at by now, with how and when each ended, if it did."""
    joined = returns.outerjoin(requests, requests.c.id == returns.c.follow_on_id)
    ended = (
        requests.c.id.is_(None).label("is_gone"),
        requests.c.finished_at.label("over_at"),
        requests.c.state.label("ended_as"),
        requests.c.reason.label("ended_for"),
    )
    asked = select(returns, *ended).select_from(joined).where(_PENDING, returns.c.look_at <= now)
    return connection.execute(asked.order_by(returns.c.look_at, returns.c.id).limit(limit)).all()


def look_again(connection: Connection, ids: Sequence[str], look_at: datetime) -> None:
    """Set when deletions that are not over are looked at again."""
    for part in parts(ids):
        connection.execute(update(returns).where(returns.c.id.in_(part)).values(look_at=look_at))


def left(connection: Connection, found: Sequence[AnyRow]) -> dict[str, TargetState]:
    """Return how the follow-ons of returns left each value, by the id of the return."""
    asked = (
        select(returns.c.id, targets.c.state)
        .join(suppressions, suppressions.c.id == returns.c.suppression_id)
        .join(
            targets,
            (targets.c.request_id == returns.c.follow_on_id) & (targets.c.value_hash == suppressions.c.value_hash),
        )
    )
    states: dict[str, TargetState] = {}
    for part in parts([one.id for one in found]):
        rows = connection.execute(asked.where(returns.c.id.in_(part)))
        states |= {row.id: row.state for row in rows}
    return states


def end(connection: Connection, row: AnyRow, state: ReturnState, now: datetime, reason: str = "") -> bool:
    """Write down what became of a return; False if somebody has done so."""
    old = ReturnState.PENDING
    return move(connection, returns, [row.id], old, state, ended_at=now, reason=reason[:_MAX_REASON_CHARS]) == 1


def of_request(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return every time that somebody of a request was found again, oldest first, and where."""
    columns = (suppressions.c.account, suppressions.c.lytics_table, suppressions.c.field, suppressions.c.value_hash)
    asked = select(returns, *columns).join(suppressions, suppressions.c.id == returns.c.suppression_id)
    return connection.execute(asked.where(returns.c.request_id == request_id).order_by(returns.c.id)).all()


def count(connection: Connection) -> dict[str, int]:
    """Count the returns by what became of them. It reads them all."""
    rows = connection.execute(select(returns.c.state, func.count()).group_by(returns.c.state))
    return {str(state.value): number for state, number in rows}


def followed(connection: Connection, request_id: str) -> str:
    """Return which request one follows; empty if none."""
    asked = select(follow_ons.c.follows).where(follow_ons.c.request_id == request_id)
    return connection.scalar(asked) or ""

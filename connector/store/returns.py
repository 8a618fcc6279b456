"""Who was found again after their deletion, and what became of that."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, func, insert, select, text, update

from connector.ids import new_id
from connector.states import ReturnState
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.moves import move, parts
from connector.store.tables import requests, targets
from connector.store.watch_tables import follow_ons, returns, suppressions

# Word for word as in the index that answers it.
_PENDING: Final = text("returns.state = 'pending'")
_MAX_REASON_CHARS: Final = 64
_OF_TARGETS: Final = ("request_id", "account", "lytics_table", "field", "value_hash", "state")


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


def entries(connection: Connection, found: Sequence[AnyRow]) -> dict[str, str]:
    """Return the hashes under which the list knows those who were found again, by the ids of their returns."""
    asked = select(returns.c.id, suppressions.c.value_hash).join(
        suppressions, suppressions.c.id == returns.c.suppression_id
    )
    return {
        row.id: row.value_hash
        for part in parts([one.id for one in found])
        for row in connection.execute(asked.where(returns.c.id.in_(part)))
    }


def targets_of(connection: Connection, request_ids: Collection[str]) -> list[AnyRow]:
    """Return the targets of follow-ons, with their values as far as they can be read."""
    asked = select(targets.c.id, *(targets.c[name] for name in _OF_TARGETS), targets.c.value)
    return [
        row
        for part in parts(request_ids)
        for row in vault.opened(
            connection, connection.execute(asked.where(targets.c.request_id.in_(part))).all(), targets.c.value
        )
    ]


def end(connection: Connection, row: AnyRow, state: ReturnState, now: datetime, reason: str = "") -> bool:
    """Write down what became of a return; False if somebody has done so."""
    old = ReturnState.PENDING
    return move(connection, returns, [row.id], old, state, ended_at=now, reason=reason[:_MAX_REASON_CHARS]) == 1


def of_request(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return every time that somebody of a request was found again, oldest first, and where."""
    names = ("account", "lytics_table", "field", "value_hash", "key_check")
    columns = [suppressions.c[name] for name in names]
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

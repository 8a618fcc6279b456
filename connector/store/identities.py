"""Identities under the mapping rules: what they became, and the targets that carry them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, insert, select, update

from connector.ids import new_id
from connector.model import Mapped, Target
from connector.states import IdentityState, TargetState, check_move
from connector.store.columns import AnyRow
from connector.store.tables import identities, targets


def of_request(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return a request's identities in the order in which they arrived."""
    return connection.execute(
        select(identities).where(identities.c.request_id == request_id).order_by(identities.c.id)
    ).all()


def forget_unsubmitted(connection: Connection, request_id: str) -> bool:
    """Drop the targets of a request none of which was ever submitted; say whether that was so."""
    started = connection.scalar(
        select(func.count())
        .select_from(targets)
        .where(targets.c.request_id == request_id, targets.c.state != TargetState.QUEUED)
    )
    tried = connection.scalar(
        select(func.count()).select_from(targets).where(targets.c.request_id == request_id, targets.c.tries > 0)
    )
    if started or tried:
        return False
    connection.execute(delete(targets).where(targets.c.request_id == request_id))
    return True


def record(connection: Connection, row: AnyRow, result: Mapped) -> None:
    """Write down what became of one identity."""
    if row.state is not result.state:
        check_move(row.state, result.state)
    connection.execute(
        update(identities).where(identities.c.id == row.id).values(state=result.state, reason=result.reason)
    )


def add_targets(
    connection: Connection, request: AnyRow, account: str, new: Sequence[tuple[str, Target, str]], now: datetime
) -> None:
    """Queue targets of a request.

    Args:
        new: (identity id, target, keyed hash of table, field and value).
    """
    if not new:
        return
    connection.execute(
        insert(targets),
        [
            {
                "id": new_id(now),
                "request_id": request.id,
                "identity_id": identity_id,
                "account": account,
                "lytics_table": target.table,
                "field": target.field,
                "value": target.value,
                "value_hash": value_hash,
                "state": TargetState.QUEUED,
                "due_at": request.due_at,
                "next_at": now,
                "entered_at": now,
            }
            for identity_id, target, value_hash in new
        ],
    )


def count_states(connection: Connection, request_id: str) -> tuple[Counter[IdentityState], Counter[TargetState]]:
    """Return how many identities and targets of a request are in each state."""

    def counted(table: Any) -> Counter[Any]:
        rows = connection.execute(
            select(table.c.state, func.count()).where(table.c.request_id == request_id).group_by(table.c.state)
        )
        return Counter({state: number for state, number in rows})  # noqa: C416 - rows are not tuples for Counter

    return counted(identities), counted(targets)

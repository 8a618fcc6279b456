"""Identities under the mapping rules: what they became, and the targets that carry them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, or_, select, update

from connector.ids import new_id
from connector.model import Mapped, Target
from connector.states import IdentityState, TargetState, check_move
from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.tables import identities, targets


def of_request(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return a request's identities, those of earlier deliveries first."""
    return connection.execute(
        select(identities).where(identities.c.request_id == request_id).order_by(identities.c.id)
    ).all()


def forget_unsubmitted(connection: Connection, request_id: str) -> bool:
    """Drop the targets of a locked request of which none was part of a call in this attempt; say whether that was so.

    The lock on the request keeps its targets from being taken into a call meanwhile.
    """
    started = connection.scalar(
        select(func.count())
        .select_from(targets)
        .where(targets.c.request_id == request_id, or_(targets.c.state != TargetState.QUEUED, targets.c.tries > 0))
    )
    if started:
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


def count_states(
    connection: Connection, request_ids: Collection[str]
) -> Mapping[str, tuple[Counter[IdentityState], Counter[TargetState]]]:
    """Return how many identities and targets of each request are in each state."""
    counted: dict[str, tuple[Counter[IdentityState], Counter[TargetState]]]
    counted = {one: (Counter(), Counter()) for one in request_ids}
    for place, table in enumerate((identities, targets)):
        for part in parts(request_ids):
            rows = connection.execute(
                select(table.c.request_id, table.c.state, func.count())
                .where(table.c.request_id.in_(part))
                .group_by(table.c.request_id, table.c.state)
            )
            for request_id, state, number in rows:
                counted[request_id][place][state] = number
    return counted

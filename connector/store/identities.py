"""Identities under the mapping rules: what they became, and the targets that carry them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, case, delete, func, insert, or_, select, update

from connector.ids import new_id
from connector.model import Mapped, Target
from connector.private import Private
from connector.states import IdentityState, TargetState, check_move
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.tables import identities, targets

_ADD_TARGET = insert(targets)


@dataclass(frozen=True, slots=True)
class NewTarget:
    """A target of a locked request, as the rules made it, with the keyed hash of its table, field and value."""

    request: AnyRow
    identity_id: str
    account: str
    target: Target
    value_hash: str


def of_requests(connection: Connection, request_ids: Collection[str]) -> Mapping[str, Sequence[AnyRow]]:
    """Return the identities of requests, those of earlier deliveries first."""
    found: dict[str, list[AnyRow]] = {one: [] for one in request_ids}
    for part in parts(request_ids):
        asked = select(identities).where(identities.c.request_id.in_(part)).order_by(identities.c.id)
        for row in vault.opened(connection, connection.execute(asked).all(), identities.c.value):
            found[row.request_id].append(row)
    return found


def values_of(connection: Connection, request_ids: Collection[str]) -> Mapping[str, Sequence[Private]]:
    """Return everything that requests hold about somebody: as the source said it, and as it is sent."""
    found: dict[str, list[Private]] = {one: [] for one in request_ids}
    for part in parts(request_ids):
        for table in (identities, targets):
            asked = select(table.c.id, table.c.request_id, table.c.value).where(table.c.request_id.in_(part))
            for row in vault.opened(connection, connection.execute(asked).all(), table.c.value):
                found[row.request_id].append(row.value)
    return found


def forget_unsubmitted(connection: Connection, request_ids: Collection[str]) -> set[str]:
    """Drop the targets of locked requests, except where one was part of a call in this attempt; return those requests.

    The lock on a request keeps its targets from being taken into a call meanwhile.
    """
    sent_of = _with_targets(connection, request_ids)
    for part in parts([one for one, sent in sent_of.items() if not sent]):
        connection.execute(delete(targets).where(targets.c.request_id.in_(part)))
    return {one for one, sent in sent_of.items() if sent}


def was_begun(connection: Connection, request_id: str) -> bool:
    """Say whether a target of a locked request was part of a call in this attempt, or ended in an earlier one."""
    return _with_targets(connection, [request_id]).get(request_id, False)


def _with_targets(connection: Connection, request_ids: Collection[str]) -> dict[str, bool]:
    """Return those of the requests that have targets, each with whether one of them was part of a call."""
    was_sent = case((or_(targets.c.state != TargetState.QUEUED, targets.c.tries > 0), 1), else_=0)
    found: dict[str, bool] = {}
    for part in parts(request_ids):
        rows = connection.execute(
            select(targets.c.request_id, func.max(was_sent))
            .where(targets.c.request_id.in_(part))
            .group_by(targets.c.request_id)
        )
        found |= {request_id: bool(sent) for request_id, sent in rows}
    return found


def record(connection: Connection, results: Sequence[tuple[AnyRow, Mapped]]) -> None:
    """Write down what became of identities."""
    alike: dict[tuple[IdentityState, str], list[str]] = defaultdict(list)
    for row, result in results:
        if row.state is not result.state:
            check_move(row.state, result.state)
        alike[result.state, result.reason].append(row.id)
    for (state, reason), ids in alike.items():
        for part in parts(ids):
            connection.execute(update(identities).where(identities.c.id.in_(part)).values(state=state, reason=reason))


def add_targets(connection: Connection, new: Sequence[NewTarget], now: datetime) -> None:
    """Queue targets."""
    keys = vault.keys_of(connection, {one.request.id for one in new})
    rows = [
        {
            "id": id_,
            "request_id": one.request.id,
            "identity_id": one.identity_id,
            "account": one.account,
            "lytics_table": one.target.table,
            "field": one.target.field,
            "value": vault.seal(keys[one.request.id], one.target.value, targets.c.value, id_),
            "value_hash": one.value_hash,
            "state": TargetState.QUEUED,
            "due_at": one.request.due_at,
            "next_at": now,
            "entered_at": now,
        }
        for id_, one in ((new_id(now), one) for one in new)
    ]
    if rows:
        connection.execute(_ADD_TARGET, rows)


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

"""Receipts in the store: which are owed, which were issued, what they are made of. No personal value is read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, TypeAlias

from sqlalchemy import Connection, delete, func, insert, select, text, tuple_, update

from connector.store import returns
from connector.store.access import results_of
from connector.store.columns import AnyRow
from connector.store.insertion import insert_or_leave
from connector.store.ledger_tables import receipts
from connector.store.tables import deliveries, history, identities, operations, requests, submissions, targets

#: The number of the receipt itself; what is added to it later has the numbers behind it.
FIRST: Final = 0
# Word for word as in the index that answers it.
_OWED: Final = text("issued_at IS NULL")
#: Request, attempt, number.
Key: TypeAlias = tuple[str, int, int]
_KEY: Final = (receipts.c.request_id, receipts.c.attempt, receipts.c.number)


@dataclass(frozen=True, slots=True)
class Found:
    """What is known of a request: rows, oldest first, by the names of their columns."""

    request: AnyRow
    history: Sequence[AnyRow]
    deliveries: Sequence[AnyRow]
    identities: Sequence[AnyRow]
    targets: Sequence[AnyRow]
    submissions: Sequence[AnyRow]
    operations: Sequence[AnyRow]
    access: Sequence[AnyRow] = ()
    returns: Sequence[AnyRow] = ()
    follows: str = ""


@dataclass(frozen=True, slots=True)
class Signed:
    """A receipt that was issued and is to be kept."""

    key: Key
    kid: str
    jws: str
    log_index: int


def owe(connection: Connection, ended: Sequence[tuple[str, int]], now: datetime) -> None:
    """Owe the receipts of attempts that ended, given as (request, attempt); none is owed twice.

    An attempt ends once, but what operators note afterwards stands in the history in the state that it ended in.
    """
    rows = [
        {"request_id": request, "attempt": attempt, "number": FIRST, "owed_at": now}
        for request, attempt in dict.fromkeys(ended)
    ]
    if rows:
        leave = insert_or_leave(connection.dialect.name, receipts, ("request_id", "attempt", "number"))
        connection.execute(leave, rows)


def owe_addendum(connection: Connection, request_id: str, attempt: int, now: datetime) -> None:
    """Owe one more receipt of an attempt of a locked request: something became known after its end."""
    last = select(func.max(receipts.c.number)).where(receipts.c.request_id == request_id, receipts.c.attempt == attempt)
    number = (connection.scalar(last) or FIRST) + 1
    row = {"request_id": request_id, "attempt": attempt, "number": number, "owed_at": now}
    connection.execute(insert(receipts), [row])


def owed(connection: Connection, limit: int) -> Sequence[AnyRow]:
    """Return receipts that are owed, of the oldest requests first."""
    # SQLite calls it a walk through the table unless the index is asked for a beginning.
    asked = select(*_KEY).where(_OWED, receipts.c.request_id > "")
    found = connection.execute(asked.order_by(receipts.c.request_id, receipts.c.attempt).limit(limit)).all()
    # The index does not know the number; what was owed first is issued first.
    return sorted(found, key=tuple)


def still_owed(connection: Connection, wanted: Sequence[Key]) -> set[Key]:
    """Return those of the receipts that nobody has issued meanwhile."""
    asked = select(*_KEY).where(tuple_(*_KEY).in_(list(wanted)), receipts.c.issued_at.is_(None))
    return {(row.request_id, row.attempt, row.number) for row in connection.execute(asked)}


def keep(connection: Connection, signed: Sequence[Signed], now: datetime) -> None:
    """Keep issued receipts, in the transaction that puts their entries into the log."""
    for one in signed:
        same = (column == part for column, part in zip(_KEY, one.key, strict=True))
        values = {"issued_at": now, "kid": one.kid, "jws": one.jws, "log_index": one.log_index}
        connection.execute(update(receipts).where(*same).values(values))


def forget(connection: Connection, keys: Sequence[Key]) -> None:
    """Owe no longer what can never be issued."""
    connection.execute(delete(receipts).where(tuple_(*_KEY).in_(list(keys)), receipts.c.issued_at.is_(None)))


def of_request(connection: Connection, request_id: str) -> Sequence[AnyRow]:
    """Return the receipts of a request, the earliest attempt first."""
    asked = select(receipts).where(receipts.c.request_id == request_id)
    return connection.execute(asked.order_by(receipts.c.attempt, receipts.c.number)).all()


def by_key(connection: Connection, keys: Sequence[Key]) -> Sequence[AnyRow]:
    """Return receipts by (request, attempt, number)."""
    return connection.execute(select(receipts).where(tuple_(*_KEY).in_(list(keys)))).all() if keys else []


def find(connection: Connection, request_id: str) -> Found | None:
    """Collect what a receipt is made of; None if its record is no longer there."""
    there = (requests.c.id == request_id, requests.c.purged_at.is_(None))
    request = connection.execute(select(requests).where(*there)).one_or_none()
    if request is None:
        return None
    of_request = targets.c.request_id == request_id
    columns = [one for one in targets.c if one.name != "value"]
    return Found(
        request=request,
        access=results_of(connection, request_id),
        returns=returns.of_request(connection, request_id),
        follows=returns.followed(connection, request_id),
        history=connection.execute(
            select(history).where(history.c.request_id == request_id).order_by(history.c.id)
        ).all(),
        deliveries=connection.execute(
            select(deliveries).where(deliveries.c.request_id == request_id).order_by(deliveries.c.id)
        ).all(),
        identities=connection.execute(
            select(*(one for one in identities.c if one.name != "value"))
            .where(identities.c.request_id == request_id)
            .order_by(identities.c.id)
        ).all(),
        targets=connection.execute(select(*columns).where(of_request).order_by(targets.c.id)).all(),
        submissions=connection.execute(
            select(submissions)
            .where(submissions.c.id.in_(select(targets.c.submission_id).where(of_request)))
            .order_by(submissions.c.id)
        ).all(),
        operations=connection.execute(
            select(operations)
            .where(operations.c.id.in_(select(targets.c.operation_id).where(of_request)))
            .order_by(operations.c.id)
        ).all(),
    )

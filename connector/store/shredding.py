"""Destroy the data keys of requests that are over, and later what is left of their records.

Both walk over all tables, so that none can be forgotten: every personal column, and every table that names a request.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, delete, exists, select, text, update

from connector.crypto.seal import SHREDDED
from connector.states import ReportState, RequestState
from connector.store.columns import Personal
from connector.store.ledger_tables import receipts
from connector.store.moves import still
from connector.store.requests import hold_all
from connector.store.seal_tables import data_keys
from connector.store.tables import metadata, operations, replays, reports, requests, submissions, targets
from connector.store.watch_tables import watched

# Word for word as in the indexes that answer them.
_READABLE: Final = text("finished_at IS NOT NULL AND shredded_at IS NULL")
_SHREDDED: Final = text("shredded_at IS NOT NULL AND purged_at IS NULL")
#: Of which the source was not told yet.
_UNSENT: Final = (ReportState.QUEUED, ReportState.DEAD)


def to_shred(connection: Connection, state: RequestState, before: datetime, limit: int) -> Sequence[str]:
    """Return requests that ended in a state before a time and may be shredded, the earliest first."""
    asked = select(requests.c.id).where(
        _READABLE, requests.c.state == state, requests.c.finished_at < before, _is_told()
    )
    return connection.scalars(asked.order_by(requests.c.finished_at, requests.c.id).limit(limit)).all()


def shred(connection: Connection, ids: Sequence[str], state: RequestState, before: datetime, now: datetime) -> int:
    """Destroy the data keys of those that still may be shredded, and the values; return how many those are."""
    hold_all(connection, ids)
    same = (still(requests, ids, state), requests.c.finished_at < before, requests.c.shredded_at.is_(None))
    sure = connection.scalars(select(requests.c.id).where(*same, _is_told())).all()
    if sure:
        connection.execute(delete(data_keys).where(data_keys.c.request_id.in_(sure)))
        for column, owner in personal_columns():
            emptied = update(column.table).where(owner.in_(sure), column.is_not(None))
            connection.execute(emptied.values({column.name: SHREDDED}))
        connection.execute(update(requests).where(requests.c.id.in_(sure)).values(shredded_at=now))
    return len(sure)


def to_purge(connection: Connection, before: datetime, limit: int) -> Sequence[str]:
    """Return requests without anything personal that ended before a time, the earliest first."""
    asked = select(requests.c.id).where(_SHREDDED, requests.c.finished_at < before)
    return connection.scalars(asked.order_by(requests.c.finished_at, requests.c.id).limit(limit)).all()


def purge(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    """Remove the records of requests. Of one whose delivery would be let in again, what keeps it out stays."""
    hold_all(connection, ids)
    calls = connection.scalars(
        select(targets.c.submission_id).where(targets.c.request_id.in_(ids), targets.c.submission_id.is_not(None))
    )
    calls_of = sorted(set(calls))
    claimed = set(connection.scalars(select(replays.c.request_id).where(replays.c.request_id.in_(ids))))
    gone = [one for one in ids if one not in claimed]
    for table in reversed(metadata.sorted_tables):
        if (owner := owner_of(table)) is not None and table is not requests:
            # Which deliveries came is what tells a repeat of one of them.
            those = gone if table.name in ("deliveries", "replays") else ids
            connection.execute(delete(table).where(owner.in_(those)))
    # They name their request without a reference to it: the log, which tells of them, outlives it.
    connection.execute(delete(receipts).where(receipts.c.request_id.in_(ids)))
    _purge_calls(connection, calls_of)
    connection.execute(delete(requests).where(requests.c.id.in_(gone)))
    connection.execute(update(requests).where(requests.c.id.in_(sorted(claimed))).values(purged_at=now))


def _purge_calls(connection: Connection, ids: Sequence[str]) -> None:
    """Remove calls to Lytics, and what followed from them, of which no target is left."""
    followed = exists().where(targets.c.operation_id == operations.c.id)
    connection.execute(delete(operations).where(operations.c.submission_id.in_(ids), ~followed))
    held = exists().where(targets.c.submission_id == submissions.c.id)
    led_on = exists().where(operations.c.submission_id == submissions.c.id)
    connection.execute(delete(submissions).where(submissions.c.id.in_(ids), ~held, ~led_on))


def personal_columns() -> Iterator[tuple[Column[Any], Column[Any]]]:
    """Give every column that holds personal values, with the column of the same table that names the request.

    What is watched has a key of its own, and is destroyed when that ends (`store.watched`).
    """
    for table in metadata.sorted_tables:
        if table is watched:
            continue
        for column in table.columns:
            if isinstance(column.type, Personal):
                owner = owner_of(table)
                assert owner is not None, f"{column} belongs to no request: nobody could destroy it"
                yield column, owner


def owner_of(table: Table) -> Column[Any] | None:
    """Return the column that names the request to which a row belongs; None if rows belong to none."""
    if table is requests:
        return requests.c.id
    return next((one for one in table.columns if one.references(requests.c.id)), None)


def _is_told() -> ColumnElement[bool]:
    """Return the condition that nothing is owed to the source of a request any more."""
    return ~exists().where(reports.c.request_id == requests.c.id, reports.c.state.in_(_UNSENT))

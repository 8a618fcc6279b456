"""What waits for a person's word before it is handed to Lytics, and what has it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Select, func, select, text, update

from connector.states import SubmissionState, TargetState
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.requests import hold_all
from connector.store.tables import requests, submissions, targets
from connector.store.targets import FREE_REQUESTS

# Word for word as in the indexes that answer them.
_COMPLETED: Final = text("requests.state = 'completed'")
_UNAPPROVED: Final = text("targets.approved_at IS NULL AND targets.state = 'queued'")


def ever_accepted(connection: Connection, account: str) -> bool:
    """Say whether Lytics has accepted a call of an account before."""
    # The least name from this one on is one look at the index; any row of the account would be looked for in all calls.
    accepted = (submissions.c.state == SubmissionState.ACCEPTED, submissions.c.account >= account)
    found: str | None = connection.scalar(select(func.min(submissions.c.account)).where(*accepted))
    return found == account


def ever_completed(connection: Connection, source: str) -> bool:
    """Say whether a request of a source was completed before."""
    found: str | None = connection.scalar(
        select(func.min(requests.c.source)).where(_COMPLETED, requests.c.source >= source)
    )
    return found == source


def waiting(connection: Connection, account: str, most: int, source: str | None = None) -> int:
    """Count the queued targets of an account, or of one of its sources, that nobody approved, up to a number."""
    queued = _queued(account)
    found = queued if source is None else queued.where(requests.c.source == source)
    return connection.scalar(select(func.count()).select_from(found.limit(most).subquery())) or 0


def waiting_until(connection: Connection, account: str, last_id: str = "") -> Sequence[AnyRow]:
    """Return the queued targets of an account that nobody approved, by their ids, up to and with one of them."""
    rows = (
        _queued(account)
        .add_columns(
            targets.c.request_id,
            targets.c.lytics_table,
            targets.c.field,
            targets.c.value,
            targets.c.value_hash,
            targets.c.known_before,
            targets.c.strangers,
            targets.c.strangers_in,
            targets.c.due_at,
        )
        .order_by(targets.c.id)
    )
    found = connection.execute(rows.where(targets.c.id <= last_id) if last_id else rows).all()
    return vault.opened(connection, found, targets.c.value)


def approve(connection: Connection, rows: Sequence[AnyRow], now: datetime) -> None:
    """Let targets be handed to Lytics."""
    for part in parts([row.id for row in rows]):
        connection.execute(update(targets).where(targets.c.id.in_(part)).values(approved_at=now))


def keep(connection: Connection, request_ids: Collection[str]) -> None:
    """Keep the targets of requests as they are until the transaction ends."""
    hold_all(connection, request_ids)


def _queued(account: str) -> Select[Any]:
    return (
        select(targets.c.id)
        .join(requests, requests.c.id == targets.c.request_id)
        .where(
            _UNAPPROVED,
            targets.c.account == account,
            targets.c.state == TargetState.QUEUED,
            requests.c.state.in_(FREE_REQUESTS),
        )
    )

"""Which open requests come near to their due date, and were not warned of yet."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, text, update

from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.tables import requests

_NEEDED: Final = [requests.c[name] for name in ("id", "kind", "state", "external", "received_at", "due_at")]
# Word for word as in the index that answers it.
_UNWARNED: Final = text("warned_at IS NULL AND finished_at IS NULL")


def claim(connection: Connection, source: str, until: datetime, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return unfinished requests of a source that are due before a time, most urgent first, and mark them as warned of.

    Two workers never get the same one.
    """
    rows = connection.execute(
        select(*_NEEDED)
        .where(_UNWARNED, requests.c.source == source, requests.c.due_at < until)
        .order_by(requests.c.due_at, requests.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    ).all()
    _mark(connection, [row.id for row in rows], now)
    return rows


def give_back(connection: Connection, request_ids: Collection[str]) -> None:
    """Let requests be warned of again: nobody heard it."""
    _mark(connection, request_ids, None)


def _mark(connection: Connection, request_ids: Collection[str], at: datetime | None) -> None:
    for part in parts(request_ids):
        connection.execute(update(requests).where(requests.c.id.in_(part)).values(warned_at=at))

"""Requests of our own: they delete again what came back, and follow the request that it was deleted for."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from connector.states import TERMINAL_TARGETS, TargetState
from connector.store import receipts
from connector.store.columns import AnyRow
from connector.store.dead_letters import note
from connector.store.moves import parts
from connector.store.tables import requests, targets
from connector.store.watch_tables import follow_ons

_OPEN_TARGETS: Final = tuple(one for one in TargetState if one not in TERMINAL_TARGETS)


def among(connection: Connection, request_ids: Collection[str]) -> set[str]:
    """Return those of the requests that follow another."""
    return {
        one
        for part in parts(request_ids)
        for one in connection.scalars(select(follow_ons.c.request_id).where(follow_ons.c.request_id.in_(part)))
    }


def follow(connection: Connection, request_id: str, follows: str) -> None:
    """Write down which request another one follows."""
    connection.execute(insert(follow_ons).values(request_id=request_id, follows=follows))


def hashes(connection: Connection, request_ids: Collection[str]) -> dict[str, str]:
    """Return the hashes of the targets of follow-ons, by the identity that each was made for."""
    return {
        row.identity_id: row.value_hash
        for part in parts(request_ids)
        for row in connection.execute(
            select(targets.c.identity_id, targets.c.value_hash).where(targets.c.request_id.in_(part))
        )
    }


def lock_originals(connection: Connection, request_ids: Collection[str]) -> dict[str, AnyRow]:
    """Return requests by id, locked, as far as their records are still there."""
    found: dict[str, AnyRow] = {}
    for part in parts(request_ids):
        asked = select(requests).where(requests.c.id.in_(part), requests.c.purged_at.is_(None))
        rows = connection.execute(asked.order_by(requests.c.id).with_for_update())
        found |= {row.id: row for row in rows}
    return found


def being_deleted(connection: Connection, hashes: Collection[str]) -> set[str]:
    """Return those of the hashes of targets that some request is about to delete anyway."""
    return {
        one
        for part in parts(hashes)
        for one in connection.scalars(
            select(targets.c.value_hash).where(targets.c.value_hash.in_(part), targets.c.state.in_(_OPEN_TARGETS))
        )
    }


def tell(connection: Connection, original: AnyRow | None, said: str, now: datetime, *, owe: bool) -> None:
    """Append a line to the history of a locked request, if its record is there.

    Args:
        owe: whether its receipt gets an addendum.
    """
    if original is None:
        return
    note(connection, original, now, said)
    if owe:
        receipts.owe_addendum(connection, original.id, original.attempt, now)

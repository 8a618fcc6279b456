"""Hashes that can be made anew, because the value that they are of can still be read."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, ColumnElement, Connection, Table, bindparam, func, select, text, update

from connector.store import suppressions as store_suppressions
from connector.store import vault, watched
from connector.store.access_tables import access_fetches
from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.requests import hold_all
from connector.store.tables import identities, requests, targets
from connector.store.watch_tables import suppressions
from connector.store.watch_tables import watched as watches

# Word for word as in the index that answers it.
_READABLE: Final = text("shredded_at IS NULL")
#: Where hashes of a request stand beside the value that they are of.
HASHED: Final = (identities, targets, access_fetches)


def requests_under_others(connection: Connection, hash_key: str, limit: int) -> list[str]:
    """Return requests whose values can be read and were hashed under another key."""
    found: list[str] = []
    for side in _sides(requests.c.hash_key, hash_key):
        asked = select(requests.c.id).where(_READABLE, side).order_by(requests.c.hash_key, requests.c.id)
        found += connection.scalars(asked.limit(limit - len(found))).all()
    return found


def count_requests_under_others(connection: Connection, hash_key: str) -> int:
    """Count the requests whose values can be read and were hashed under another key."""
    counts = (
        select(func.count(requests.c.id)).where(_READABLE, side) for side in _sides(requests.c.hash_key, hash_key)
    )
    return sum(connection.scalar(one) or 0 for one in counts)


def lock_under_others(connection: Connection, request_ids: Collection[str], hash_key: str) -> dict[str, str]:
    """Lock requests; return the sources of those whose values can be read and were hashed under another key."""
    found: dict[str, str] = {}
    for part in parts(request_ids):
        asked = select(requests.c.id, requests.c.source).where(
            requests.c.id.in_(part), requests.c.hash_key != hash_key, _READABLE
        )
        ids = [row.id for row in connection.execute(asked)]
        if ids:
            # Who has them locked already locks nothing new here.
            hold_all(connection, ids)
            found |= {row.id: row.source for row in connection.execute(asked)}
    return found


def values(connection: Connection, table: Table, request_ids: Collection[str]) -> Iterator[AnyRow]:
    """Give the rows of one of `HASHED` whose value is there, opened."""
    for part in parts(request_ids):
        rows = connection.execute(select(table).where(table.c.request_id.in_(part))).all()
        yield from (row for row in vault.opened(connection, rows, table.c.value) if row.value is not None)


def write(connection: Connection, table: Table, hashes: Mapping[str, str]) -> None:
    """Write hashes, given by the ids of their rows."""
    written: list[dict[str, Any]] = [{"of": id_, "hash": value} for id_, value in sorted(hashes.items())]
    if written:
        change = update(table).where(table.c.id == bindparam("of")).values(value_hash=bindparam("hash"))
        connection.execute(change, written)


def mark(connection: Connection, request_ids: Collection[str], hash_key: str) -> None:
    """Write down under which key requests are hashed now."""
    for part in parts(request_ids):
        connection.execute(update(requests).where(requests.c.id.in_(part)).values(hash_key=hash_key))


def watched_after(connection: Connection, after: str, limit: int) -> Sequence[AnyRow]:
    """Return the ids of watches behind one, and under which key their entries were hashed."""
    asked = select(watches.c.id, suppressions.c.key_check).join(suppressions, suppressions.c.id == watches.c.id)
    return connection.execute(asked.where(watches.c.id > after).order_by(watches.c.id).limit(limit)).all()


def open_watched(connection: Connection, ids: Collection[str], key_check: str) -> list[tuple[AnyRow, Any]]:
    """Lock watches and their entries; return the entries that were hashed under another key, with their values."""
    locked = {row.id: row for row in watched.lock(connection, ids)}
    found: list[tuple[AnyRow, Any]] = []
    for part in parts(locked):
        asked = select(suppressions).where(suppressions.c.id.in_(part), suppressions.c.key_check != key_check)
        rows = connection.execute(asked.order_by(suppressions.c.id).with_for_update())
        found += [(row, watched.opened(connection, locked[row.id])) for row in rows]
    return found


def rename_entries(connection: Connection, new: Mapping[str, tuple[str, str]], key_check: str) -> int:
    """Write under another key what entries are known by: their account and hash, by their ids. Return how many were.

    One that the list has twice, as two processes with different present keys can bring about, is left as it is.
    """
    there = store_suppressions.ids_of(connection, new.values())
    renamed = {id_: key for id_, key in new.items() if key not in there}
    store_suppressions.rename(connection, renamed, key_check)
    return len(renamed)


def _sides(column: Column[str], value: str) -> Iterator[ColumnElement[bool]]:
    # Not `!=`, which no index answers.
    yield column < value
    yield column > value

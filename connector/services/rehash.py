"""Bring hashes under the present pseudonym key, as far as the values that they are of can be read.

All hashes of one request are under one key. Each part is a transaction of its own: whoever is killed has lost nothing,
and whoever begins again goes on where that was. Hashes whose values are gone stay as they are, and so does the need for
their key (`store.pseudonym_keys`).
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Final

from connector.crypto.pseudonym import Pseudonymiser, identity_scope
from connector.store import follow_ons, rehashing
from connector.store.access_tables import access_fetches
from connector.store.columns import AnyRow, Connection
from connector.store.database import Database
from connector.store.tables import identities, targets

# Requests, or watches, in one transaction: a delivery that comes in meanwhile waits for no longer than that takes.
_AT_ONCE: Final = 100
#: Told how many are done, and how many there are to do.
Tell = Callable[[int, int], None]


def bring(connection: Connection, pseudonymiser: Pseudonymiser, request_ids: Collection[str]) -> int:
    """Hash the values of requests under the present key, as far as they are not; return how many requests changed.

    Whoever adds a hash to a request calls it first.
    """
    sources = rehashing.lock_under_others(connection, request_ids, pseudonymiser.id)
    if not sources:
        return 0
    for table in (targets, access_fetches):
        hashed = {
            row.id: pseudonymiser.of_target(row.account, row.lytics_table, row.field, row.value)
            for row in rehashing.values(connection, table, sources)
        }
        rehashing.write(connection, table, hashed)
    own = follow_ons.among(connection, sources)
    of_own = follow_ons.hashes(connection, own)
    rehashing.write(
        connection,
        identities,
        {
            # What deletes somebody again knows them as Lytics does.
            row.id: of_own.get(row.id) or pseudonymiser.of(identity_scope(sources[row.request_id], row.kind), row.value)
            for row in rehashing.values(connection, identities, sources)
        },
    )
    rehashing.mark(connection, sources, pseudonymiser.id)
    return len(sources)


def target(pseudonymiser: Pseudonymiser, account: str, row: AnyRow) -> AnyRow:
    """Return an opened target with its hash under the present key: all of one call are told apart under the same."""
    if row.hash_key == pseudonymiser.id:
        return row
    value_hash = pseudonymiser.of_target(account, row.lytics_table, row.field, row.value)
    changed: AnyRow = row._replace(value_hash=value_hash, hash_key=pseudonymiser.id)
    return changed


def to_do(database: Database, pseudonymiser: Pseudonymiser) -> int:
    """Return how many requests and watched entries can be brought under the present key."""
    with database.read() as connection:
        total = rehashing.count_requests_under_others(connection, pseudonymiser.id)
        after = ""
        while rows := rehashing.watched_after(connection, after, _AT_ONCE):
            total += sum(row.key_check != pseudonymiser.check for row in rows)
            after = rows[-1].id
    return total


def rehash_all(database: Database, pseudonymiser: Pseudonymiser, tell: Tell) -> int:
    """Bring everything under the present key that can be; return how many requests and entries were brought."""
    total, done = to_do(database, pseudonymiser), 0
    tell(done, total)
    while brought := _some_requests(database, pseudonymiser):
        done += brought
        # What was hashed meanwhile by a process with another present key is brought as well.
        tell(done, max(done, total))
    after: str | None = ""
    while after is not None:
        brought, after = _some_entries(database, pseudonymiser, after)
        done += brought
        tell(done, max(done, total))
    return done


def _some_requests(database: Database, pseudonymiser: Pseudonymiser) -> int:
    with database.write() as connection:
        ids = rehashing.requests_under_others(connection, pseudonymiser.id, _AT_ONCE)
        return bring(connection, pseudonymiser, ids) if ids else 0


def _some_entries(database: Database, pseudonymiser: Pseudonymiser, after: str) -> tuple[int, str | None]:
    """Bring the entries of some watches; return how many were brought, and the last of the watches."""
    with database.write() as connection:
        rows = rehashing.watched_after(connection, after, _AT_ONCE)
        others = [row.id for row in rows if row.key_check != pseudonymiser.check]
        new = {
            row.id: (row.account, pseudonymiser.of_target(row.account, row.lytics_table, row.field, value))
            for row, value in rehashing.open_watched(connection, others, pseudonymiser.check)
        }
        brought = rehashing.rename_entries(connection, new, pseudonymiser.check)
    return brought, rows[-1].id if rows else None

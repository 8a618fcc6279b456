"""Deliveries that came before, looked for by names that were hashed under former pseudonym keys."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final, TypeAlias

from sqlalchemy import Column, Connection, select, text

from connector.store.moves import parts
from connector.store.tables import deliveries, replays, requests

#: A source, and a name that is the only one of its kind there.
Named: TypeAlias = tuple[str, str]
# Numbers that nobody else uses for locks in the same PostgreSQL database: greater than all of the store's others.
_LOCKS: Final = 1 << 61
_LOCK_DIGITS: Final = 15
# In their order, so that two who want the same do not wait for each other in a circle.
_LOCK_ALL: Final = text(
    "SELECT pg_advisory_xact_lock(n) FROM (SELECT unnest(CAST(:numbers AS bigint[])) n ORDER BY 1) s"
)


@dataclass(frozen=True, slots=True)
class Known:
    """Which of some names are there."""

    requests: Collection[Named]
    claims: Collection[Named]
    replays: Collection[Named]


def one_at_a_time(connection: Connection, hashes: Collection[str]) -> None:
    """Wait for whoever stores something by one of these hashes, and let others wait until this transaction ends.

    No unique index keeps two processes from storing the same under different keys. SQLite has one writer at a time.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(_LOCK_ALL, {"numbers": [_LOCKS + int(one[:_LOCK_DIGITS], 16) for one in hashes]}).all()


def requests_among(connection: Connection, names: Collection[Named]) -> set[Named]:
    """Return those that are the source and key of a request."""
    return _among(connection, requests.c.source, requests.c.request_key, names)


def claims_among(connection: Connection, names: Collection[Named]) -> set[Named]:
    """Return those that are the source and claim of a delivery."""
    return _among(connection, deliveries.c.source, deliveries.c.claim_key, names)


def replays_among(connection: Connection, names: Collection[Named]) -> set[Named]:
    """Return those that are the source and hash of what tells a delivery from every other."""
    return _among(connection, replays.c.source, replays.c.replay_hash, names)


def _among(connection: Connection, source: Column[str], name: Column[str], wanted: Collection[Named]) -> set[Named]:
    by_source: dict[str, list[str]] = {}
    for of, text_ in wanted:
        by_source.setdefault(of, []).append(text_)
    return {
        (of, one)
        for of, names in by_source.items()
        for part in parts(names)
        for one in connection.scalars(select(name).where(source == of, name.in_(part)))
    }

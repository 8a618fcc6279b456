"""Seal what an earlier version stored readable, and back again for whoever goes back to that version.

It speaks of the tables as they were when sealing began, because a migration rests on it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, bindparam, column, select, table, update

from connector.crypto.keyring import Keyring, Wrapped
from connector.crypto.seal import DataKey, Sealed, place_of
from connector.private import Private
from connector.store.vault import keyring_of

# Requests at a time.
_PART: Final = 500
_REQUESTS: Final = table("requests", column("id"))
_DATA_KEYS: Final = table("data_keys", column("request_id"), column("kek_id"), column("wrapped"))
# What is read for access requests came after this, in the same release: its tables are empty then.
#: Table, column, and the column that names the request.
_PLACES: Final = (
    ("requests", "callback_url", "id"),
    ("identities", "value", "request_id"),
    ("targets", "value", "request_id"),
)


def seal_all(connection: Connection, after: str = "") -> int:
    """Seal every personal value of requests without a data key; return how many requests those were.

    Args:
        after: only of requests with greater ids.
    """
    sealed = 0
    for ids in _parts(connection, after):
        ring = keyring_of(connection)
        with_key = set(connection.scalars(select(_DATA_KEYS.c.request_id).where(_DATA_KEYS.c.request_id.in_(ids))))
        without = [one for one in ids if one not in with_key]
        if not without:
            continue
        made = {one: ring.new(one) for one in without}
        rows = [
            {"request_id": one, "kek_id": wrapped.kek_id, "wrapped": wrapped.text} for one, (_, wrapped) in made.items()
        ]
        connection.execute(_DATA_KEYS.insert(), rows)
        keys = {one: key for one, (key, _) in made.items()}
        _change(connection, keys, lambda key, text, place: key.seal(Private(text), place).text)
        sealed += len(without)
    return sealed


def open_all(connection: Connection) -> None:
    """Make every value readable again that still has its data key."""
    for ids in _parts(connection):
        _change(
            connection,
            _keys(connection, keyring_of(connection), ids),
            lambda key, text, place: key.open(Sealed(text), place).reveal(),
        )


def _parts(connection: Connection, after: str = "") -> Iterator[Sequence[str]]:
    last = after
    while ids := connection.scalars(
        select(_REQUESTS.c.id).where(_REQUESTS.c.id > last).order_by(_REQUESTS.c.id).limit(_PART)
    ).all():
        yield ids
        last = ids[-1]


def _keys(connection: Connection, ring: Keyring, ids: Sequence[str]) -> Mapping[str, DataKey]:
    rows = connection.execute(select(_DATA_KEYS).where(_DATA_KEYS.c.request_id.in_(ids)))
    return {row.request_id: ring.unwrap(Wrapped(row.kek_id, row.wrapped), row.request_id) for row in rows}


def _change(connection: Connection, keys: Mapping[str, DataKey], changed: Any) -> None:
    """Write every personal value of some requests anew."""
    for name, value, owner in _PLACES:
        columns = dict.fromkeys(("id", owner, value))
        at = table(name, *map(column, columns))
        rows = connection.execute(select(at).where(at.c[owner].in_(list(keys)), at.c[value].is_not(None))).mappings()
        written = [
            {"at": row["id"], "to": changed(keys[row[owner]], row[value], place_of(name, value, row["id"]))}
            for row in rows
            if row[value]
        ]
        if written:
            connection.execute(update(at).where(at.c.id == bindparam("at")).values({value: bindparam("to")}), written)

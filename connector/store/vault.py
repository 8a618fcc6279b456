"""Sealing and opening at the store's edge: every personal value is sealed with the data key of its request.

The column type takes sealed values alone, so that a writer who forgets it fails; what reads gets sealed values, and
opens those that it needs, a batch at a time. The keyring comes with the connection, from whoever opened the database.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, cast

from sqlalchemy import Column, Connection, bindparam, select

from connector.codes import Code
from connector.crypto.keyring import Keyring, Wrapped
from connector.crypto.seal import DataKey, Sealed, place_of
from connector.errors import Misconfigured
from connector.private import Private
from connector.store.bulk import insert_rows
from connector.store.columns import AnyRow
from connector.store.moves import parts
from connector.store.seal_tables import data_keys

#: Under this name the execution options of every connection hold the keyring.
OPTION: Final = "keyring"
_KEYS_OF: Final = select(data_keys).where(data_keys.c.request_id.in_(bindparam("ids", expanding=True)))


def keyring_of(connection: Connection) -> Keyring:
    """Return the keyring with which the database was opened.

    Raises:
        Misconfigured: `SEALING_KEY_MISSING` if it was opened without one, to look at what is not personal.
    """
    ring: Keyring | None = connection.get_execution_options().get(OPTION)
    if ring is None:
        raise Misconfigured(Code.SEALING_KEY_MISSING, "the store was opened without keys")
    return ring


def new_key(connection: Connection, request_id: str) -> tuple[DataKey, dict[str, Any]]:
    """Make the data key of a request that is about to be inserted; return it and its row, which `keep` inserts."""
    key, wrapped = keyring_of(connection).new(request_id)
    return key, {"request_id": request_id, "kek_id": wrapped.kek_id, "wrapped": wrapped.text}


def keep(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store the data keys of requests that were inserted in this transaction."""
    insert_rows(connection, data_keys, rows)


def keys_of(connection: Connection, request_ids: Collection[str]) -> Mapping[str, DataKey]:
    """Return the data keys of requests, with one query.

    Raises:
        Misconfigured: `SEALING_KEY_MISSING`: the keyring lacks a key. `VALUE_UNREADABLE`: a data key is not there any
            more, or was changed.
    """
    ring = keyring_of(connection)
    found = {
        row.request_id: ring.unwrap(Wrapped(row.kek_id, row.wrapped), row.request_id)
        for part in parts(request_ids)
        for row in connection.execute(_KEYS_OF, {"ids": part})
    }
    for one in request_ids:
        if one not in found:
            raise Misconfigured(Code.VALUE_UNREADABLE, f"request {one} has no data key any more")
    return found


def has_key(connection: Connection, request_id: str) -> bool:
    """Say whether a request has a data key."""
    return connection.execute(_KEYS_OF, {"ids": [request_id]}).first() is not None


def seal(key: DataKey, value: Private, column: Column[Any], row_id: str) -> Sealed:
    """Seal a value for a row of the column's table."""
    return key.seal(value, place_of(column.table.name, column.name, row_id))


def opened(
    connection: Connection,
    rows: Sequence[AnyRow],
    column: Column[Any],
    *,
    row_id: str = "id",
    request_id: str = "request_id",
) -> list[AnyRow]:
    """Return rows with what they have of a personal column opened. The data keys are read with one query.

    Args:
        row_id: under which name the rows have the id of the row that holds the value, and
        request_id: that of its request.
    """
    wanted = {getattr(row, request_id) for row in rows if getattr(row, column.name)}
    if not wanted and not any(getattr(row, column.name) is not None for row in rows):
        return list(rows)
    keys = keys_of(connection, wanted)
    shape = _shape(rows[0]._fields)
    place = rows[0]._fields.index(column.name)
    found = []
    for row in rows:
        value = None
        if sealed := row[place]:
            at = place_of(column.table.name, column.name, getattr(row, row_id))
            value = keys[getattr(row, request_id)].open(sealed, at)
        found.append(cast("AnyRow", shape._make((*row[:place], value, *row[place + 1 :]))))
    return found


@lru_cache(64)
def _shape(names: tuple[str, ...]) -> Any:
    return namedtuple("Row", names)  # noqa: PYI024 - made of what a query gives

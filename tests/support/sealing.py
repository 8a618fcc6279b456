"""The keyring of the tests, and rows with their personal values opened."""

from __future__ import annotations

from collections import namedtuple
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, select

from connector.crypto.keyring import Keyring
from connector.private import Private, Secret
from connector.store import vault, watched
from connector.store.columns import Personal

# The rehearsal's own, so that its commands open what a test has stored.
_FILE: Final = Path(__file__).parents[2] / "config/sandbox/sealing.secret"
SEALING: Final = Secret(_FILE.read_text().strip(), "file:sandbox/sealing.secret")
KEYRING: Final = Keyring([SEALING])


def opened_rows(connection: Connection, table: Table) -> list[Any]:
    """Return every row of a table, by its key; what is bound to a key of several parts stays sealed."""
    rows: list[Any] = list(connection.execute(select(table).order_by(*table.primary_key)).all())
    owner = "id" if table.name == "requests" else "request_id"
    if table.name == "watched":
        shape = namedtuple("Watched", rows[0]._fields) if rows else None  # noqa: PYI024 - made of what a query gives
        return [shape(**{**one._mapping, "value": watched.opened(connection, one)}) for one in rows if shape]
    for column in table.columns:
        if isinstance(column.type, Personal) and "id" in table.c:
            rows = vault.opened(connection, rows, column, request_id=owner)
    return rows


def seal_into(connection: Connection, request_id: str, column: Any, row_id: str, text: str) -> Any:
    """Seal a value for a row of a request, whose data key is made if it has none."""
    found = connection.scalar(select(vault.data_keys.c.request_id).where(vault.data_keys.c.request_id == request_id))
    if found is None:
        key, row = vault.new_key(connection, request_id)
        vault.keep(connection, [row])
    else:
        key = vault.keys_of(connection, [request_id])[request_id]
    return vault.seal(key, Private(text), column, row_id)

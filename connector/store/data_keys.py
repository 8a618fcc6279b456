"""Data keys as a whole: under which keys they are, and how they come under another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from sqlalchemy import Connection, bindparam, func, select, update

from connector.codes import Code
from connector.crypto.keyring import Keyring, Wrapped
from connector.errors import Misconfigured
from connector.store.columns import AnyRow
from connector.store.database import Database
from connector.store.seal_tables import data_keys

_REWRAP: Final = (
    update(data_keys)
    # Whoever else rewraps does it alike, and a data key that was destroyed meanwhile stays so.
    .where(data_keys.c.request_id == bindparam("of"), data_keys.c.kek_id == bindparam("old"))
    .values(kek_id=bindparam("new"), wrapped=bindparam("text"))
)


def kek_ids(connection: Connection) -> Iterator[str]:
    """Give the ids of the keys that data keys are wrapped with: one look at the index for each."""
    last = ""
    while (
        found := connection.scalar(select(func.min(data_keys.c.kek_id)).where(data_keys.c.kek_id > last))
    ) is not None:
        yield found
        last = found


def require_known(database: Database) -> None:
    """Raise `Misconfigured` unless the keyring of a store, if it has one, opens every data key in it."""
    if database.keyring is None:
        return
    with database.read() as connection:
        missing = [one for one in kek_ids(connection) if one not in database.keyring.keys]
    if missing:
        raise Misconfigured(Code.SEALING_KEY_MISSING, f"wanted is the key with the id {' and '.join(missing)}")


def count(connection: Connection, kek_id: str) -> int:
    """Return how many data keys are wrapped with a key."""
    return connection.scalar(select(func.count()).where(data_keys.c.kek_id == kek_id)) or 0


def rewrap(connection: Connection, ring: Keyring, limit: int) -> int:
    """Bring at most `limit` data keys under the first key of the ring; return how many there were to bring.

    Raises:
        Misconfigured: `SEALING_KEY_MISSING`, `VALUE_UNREADABLE`: nothing of this part was changed.
    """
    rows = _not_under(connection, ring.current.id, limit)
    changed = []
    for row in rows:
        wrapped = ring.rewrap(Wrapped(row.kek_id, row.wrapped), row.request_id)
        changed.append({"of": row.request_id, "old": row.kek_id, "new": wrapped.kek_id, "text": wrapped.text})
    if changed:
        connection.execute(_REWRAP, changed)
    return len(rows)


def _not_under(connection: Connection, kek_id: str, limit: int) -> Sequence[AnyRow]:
    # Not `!=`, which no index answers.
    found: list[AnyRow] = []
    for side in (data_keys.c.kek_id < kek_id, data_keys.c.kek_id > kek_id):
        asked = select(data_keys).where(side).order_by(data_keys.c.kek_id, data_keys.c.request_id)
        # In one order, so that two who rewrap do not wait for each other in a circle.
        found += connection.execute(asked.limit(limit - len(found)).with_for_update(skip_locked=True)).all()
    return found

"""Data keys as a whole: under which keys they are, and how they come under another one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

from sqlalchemy import Column, Connection, Table, Update, bindparam, func, select, update

from connector.codes import Code
from connector.crypto.keyring import Keyring, Wrapped
from connector.errors import Misconfigured
from connector.store.columns import AnyRow
from connector.store.database import Database
from connector.store.seal_tables import data_keys
from connector.store.watch_tables import watched

#: Where data keys are: each table with the column that says what a key is bound to.
HOLDERS: Final = ((watched, watched.c.id), (data_keys, data_keys.c.request_id))


def kek_ids(connection: Connection) -> Iterator[str]:
    """Give the ids of the keys that data keys are wrapped with: one look at each index for each."""
    last = ""
    while found := [one for table, _ in HOLDERS if (one := _next_kek(connection, table, last)) is not None]:
        last = min(found)
        yield last


def _next_kek(connection: Connection, table: Table, last: str) -> str | None:
    found: str | None = connection.scalar(select(func.min(table.c.kek_id)).where(table.c.kek_id > last))
    return found


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
    counts = (select(func.count()).select_from(table).where(table.c.kek_id == kek_id) for table, _ in HOLDERS)
    return sum(connection.scalar(one) or 0 for one in counts)


def count_others(connection: Connection, kek_id: str, most: int) -> int:
    """Return how many data keys are wrapped with another key, of each kind at most so many."""
    found = 0
    for table, _ in HOLDERS:
        # Not `!=`, which no index answers.
        for side in (table.c.kek_id < kek_id, table.c.kek_id > kek_id):
            each = select(table.c.kek_id).where(side).order_by(table.c.kek_id).limit(most).subquery()
            found += connection.scalar(select(func.count()).select_from(each)) or 0
    return found


def rewrap(connection: Connection, ring: Keyring, limit: int) -> int:
    """Bring at most `limit` data keys under the first key of the ring; return how many there were to bring.

    Raises:
        Misconfigured: `SEALING_KEY_MISSING`, `VALUE_UNREADABLE`: nothing of this part was changed.
    """
    done = 0
    for table, owner in HOLDERS:
        if done == limit:
            break
        rows = _not_under(connection, table, owner, ring.current.id, limit - done)
        changed = []
        for row in rows:
            wrapped = ring.rewrap(Wrapped(row.kek_id, row.wrapped), row.owner)
            changed.append({"of": row.owner, "old": row.kek_id, "new": wrapped.kek_id, "text": wrapped.text})
        if changed:
            connection.execute(_rewrapping(table, owner), changed)
        done += len(rows)
    return done


def _rewrapping(table: Table, owner: Column[Any]) -> Update:
    return (
        update(table)
        # Whoever else rewraps does it alike, and a data key that was destroyed meanwhile stays so.
        .where(owner == bindparam("of"), table.c.kek_id == bindparam("old"))
        .values(kek_id=bindparam("new"), wrapped=bindparam("text"))
    )


def _not_under(connection: Connection, table: Table, owner: Column[Any], kek_id: str, limit: int) -> Sequence[AnyRow]:
    # Not `!=`, which no index answers.
    found: list[AnyRow] = []
    for side in (table.c.kek_id < kek_id, table.c.kek_id > kek_id):
        asked = select(owner.label("owner"), table.c.kek_id, table.c.wrapped).where(side)
        # In one order, so that two who rewrap do not wait for each other in a circle.
        asked = asked.order_by(table.c.kek_id, owner).limit(limit - len(found))
        found += connection.execute(asked.with_for_update(skip_locked=True)).all()
    return found

"""Who is looked for after their deletion. The value is sealed with a key of its own, which its row holds wrapped.

It is the one personal value that outlives its request. To delete the row is to destroy it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, delete, func, select, text, update

from connector.crypto.keyring import Wrapped
from connector.crypto.seal import place_of
from connector.private import Private
from connector.states import WatchState
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.insertion import insert_or_leave
from connector.store.moves import move, parts
from connector.store.watch_tables import suppressions, watched

# Word for word as in the index that answers it.
_LOOKED_FOR: Final = text("watched.state <> 'deleting'")


def seal(connection: Connection, id_: str, value: Private) -> Mapping[str, Any]:
    """Return a value as its row holds it, with the key that opens it."""
    key, wrapped = vault.keyring_of(connection).new(id_)
    sealed = vault.seal(key, value, watched.c.value, id_)
    return {"value": sealed, "kek_id": wrapped.kek_id, "wrapped": wrapped.text}


def opened(connection: Connection, row: AnyRow) -> Private:
    """Return the value of a row.

    Raises:
        Misconfigured: `SEALING_KEY_MISSING`, `VALUE_UNREADABLE`.
    """
    key = vault.keyring_of(connection).unwrap(Wrapped(row.kek_id, row.wrapped), row.id)
    return key.open(row.value, place_of(watched.name, watched.c.value.name, row.id))


def begin(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Begin to watch over entries that nobody watches over."""
    if rows:
        connection.execute(insert_or_leave(connection.dialect.name, watched, ("id",)), list(rows))


def lock(connection: Connection, ids: Collection[str]) -> Sequence[AnyRow]:
    """Return the watches over entries, locked in the order of their ids."""
    found: list[AnyRow] = []
    for part in parts(ids):
        asked = select(watched).where(watched.c.id.in_(part)).order_by(watched.c.id).with_for_update()
        found += connection.execute(asked).all()
    return found


def due(connection: Connection, account: str, now: datetime, limit: int) -> Sequence[AnyRow]:
    """Return whom to look for in an account by now, those that wait longest first, with where to look."""
    asked = (
        select(watched, suppressions.c.lytics_table, suppressions.c.field, suppressions.c.value_hash)
        .join(suppressions, suppressions.c.id == watched.c.id)
        .where(_LOOKED_FOR, watched.c.account == account, watched.c.next_at <= now)
    )
    return connection.execute(asked.order_by(watched.c.next_at, watched.c.id).limit(limit)).all()


def look_again(connection: Connection, id_: str, next_at: datetime, failures: int = 0) -> None:
    """Set when somebody is looked for next."""
    connection.execute(update(watched).where(watched.c.id == id_).values(next_at=next_at, failures=failures))


def begin_anew(connection: Connection, row: AnyRow, began_at: datetime, **values: Any) -> None:
    """Begin a locked watch from its beginning: what it is about was deleted just now."""
    fresh = {"began_at": began_at, "failures": 0} | values
    connection.execute(update(watched).where(watched.c.id == row.id).values(fresh))
    change(connection, row, WatchState.WATCHING)


def change(connection: Connection, row: AnyRow, state: WatchState, **values: Any) -> None:
    """Bring a locked watch into a state, unless it is in it."""
    if row.state is not state:
        move(connection, watched, [row.id], row.state, state, **values)


def end(connection: Connection, ids: Collection[str]) -> int:
    """End watches: their values are gone with this; return how many there were."""
    return sum(connection.execute(delete(watched).where(watched.c.id.in_(part))).rowcount for part in parts(ids))


def overdue(connection: Connection, now: datetime, limit: int) -> Sequence[str]:
    """Return watches whose time is over, the earliest first."""
    asked = select(watched.c.id).where(watched.c.ends_at <= now)
    return connection.scalars(asked.order_by(watched.c.ends_at, watched.c.id).limit(limit)).all()


def owners(connection: Connection) -> Iterator[tuple[str, str]]:
    """Give every source and account of which anybody is watched: one look at the index for each."""
    source = connection.scalar(select(func.min(watched.c.source)))
    while source is not None:
        of_it = select(func.min(watched.c.account)).where(watched.c.source == source)
        account = connection.scalar(of_it)
        while account is not None:
            yield source, account
            account = connection.scalar(of_it.where(watched.c.account > account))
        source = connection.scalar(select(func.min(watched.c.source)).where(watched.c.source > source))


def of_owner(connection: Connection, source: str, account: str, limit: int) -> Sequence[str]:
    """Return watches of one source in one account."""
    asked = select(watched.c.id).where(watched.c.source == source, watched.c.account == account)
    return connection.scalars(asked.order_by(watched.c.id).limit(limit)).all()


def count(connection: Connection, state: WatchState) -> int:
    """Count the watches in a state. It reads them all."""
    return connection.scalar(select(func.count()).select_from(watched).where(watched.c.state == state)) or 0

"""Which pseudonym keys hashes were made under, and for what each is still needed.

Hashes of calls and of whoever is on a list cannot be made anew, because what they were made of is gone. As long as one
of them may have to be recognised its key has to be there, or a repeat would be carried out again and a person
forgotten.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, TypeAlias

from sqlalchemy import Column, ColumnElement, Connection, TextClause, delete, exists, func, select, text

from connector.codes import Code
from connector.crypto.pseudonym import id_of
from connector.errors import Misconfigured
from connector.ids import first_id
from connector.store import keys
from connector.store.columns import AnyRow
from connector.store.database import Database
from connector.store.guard_tables import holds
from connector.store.source_tables import key_uses
from connector.store.tables import deliveries, replays, requests
from connector.store.watch_tables import suppressions

# Whatever was hashed before uses were written down was hashed under the first key.
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)
# A use is written down once a minute.
_LATER: Final = timedelta(minutes=2)
Condition: TypeAlias = ColumnElement[bool] | TextClause
# Word for word as in the indexes that answer them.
_READABLE: Final = text("shredded_at IS NULL")
_STANDING: Final = text("removed_at IS NULL")


@dataclass(frozen=True, slots=True)
class Need:
    """For what a key is needed.

    Attributes:
        last_used_at: when something was hashed under it last, to the minute; None if that is not known.
        requests: whose values can be read, so that they can be hashed under another key.
        holds, entries: on the legal hold list and on the suppression list. Of entries, so many are watched, and can be
            hashed under another key.
        repeats: whether a call that it tells from others is on record, and whether one of them is kept for good.
    """

    id: str
    last_used_at: datetime | None
    requests: int
    holds: int
    entries: int
    repeats: bool
    kept_for_good: bool

    @property
    def is_needed(self) -> bool:
        return bool(self.requests or self.holds or self.entries or self.repeats)


def note_use(connection: Connection, ids: Sequence[str], now: datetime) -> None:
    """Write down that hashes are made under the first of the configured keys.

    The first key ever noted is taken for the one that whatever is there was hashed under; of several that is the last.
    """
    if not _uses(connection):
        keys.note_use(connection, keys.PSEUDONYMS, ids[-1], _EVER)
        keys.note_use(connection, keys.PSEUDONYMS, ids[-1], now)
    keys.note_use(connection, keys.PSEUDONYMS, ids[0], now)


def require_known(database: Database) -> None:
    """Raise `Misconfigured` unless every key that is needed is among those that the database was opened with, if any.

    Nothing would fail without it: a repeat would be taken for something new, and who is on a list for somebody else.
    """
    if database.pseudonym_keys is None:
        return
    with database.read() as connection:
        require(connection, database.pseudonym_keys, needed_by_lists=True)


def require(connection: Connection, known: Collection[str], *, needed_by_lists: bool) -> None:
    """Raise `Misconfigured`, `PSEUDONYM_KEY_MISSING`, if a key is needed that is not known.

    Args:
        needed_by_lists: whether the lists and what can be read are looked at as well, and not only what came in.
    """
    missing = {row.secret_id for row in _uses(connection) if row.secret_id not in known and _repeats(connection, row)}
    if needed_by_lists:
        missing |= {one for one in _named(connection) if one not in known}
    if missing:
        wanted = " and ".join(sorted(missing))
        raise Misconfigured(Code.PSEUDONYM_KEY_MISSING, f"wanted is the key with the id {wanted}")


def needs(connection: Connection, configured: Sequence[str]) -> list[Need]:
    """Say of every key, those that are configured first, for what it is needed. It counts what it names."""
    rows = {row.secret_id: row for row in _uses(connection)}
    others = sorted({*rows, *_named(connection)} - set(configured))
    # What was hashed before keys had ids counts as the first key's.
    first = next(iter(rows), configured[-1])
    return [
        _need(connection, one, rows.get(one), {one, ""} if one == first else {one}) for one in (*configured, *others)
    ]


def forget(connection: Connection, id_: str) -> bool:
    """Forget that a key was used: calls from then are not recognised any more. Say whether it was known."""
    mine = (key_uses.c.source == keys.PSEUDONYMS, key_uses.c.secret_id == id_)
    return connection.execute(delete(key_uses).where(*mine)).rowcount > 0


def checks_of(connection: Connection, column: Column[str], *where: Condition) -> Iterator[str]:
    """Give the different keys in a column that an index begins with: one look at the index for each."""
    last = ""
    while (found := connection.scalar(select(func.min(column)).where(*where, column > last))) is not None:
        last = found
        yield last


def _uses(connection: Connection) -> Sequence[AnyRow]:
    asked = select(key_uses).where(key_uses.c.source == keys.PSEUDONYMS)
    return connection.execute(asked.order_by(key_uses.c.first_used_at, key_uses.c.secret_id)).all()


def _named(connection: Connection) -> set[str]:
    """Return the ids that stand beside hashes; not that of what was hashed before keys had ids."""
    lists = [*checks_of(connection, holds.c.key_check, _STANDING), *checks_of(connection, suppressions.c.key_check)]
    return {*map(id_of, lists), *checks_of(connection, requests.c.hash_key, _READABLE)}


def _need(connection: Connection, id_: str, use: AnyRow | None, names: Collection[str]) -> Need:
    under = [_begins(column, id_) for column in (holds.c.key_check, suppressions.c.key_check)]
    return Need(
        id_,
        use.last_used_at if use is not None else None,
        _count(connection, requests.c.id, _READABLE, requests.c.hash_key.in_(names)),
        _count(connection, holds.c.id, _STANDING, under[0]),
        _count(connection, suppressions.c.id, under[1]),
        use is not None and _repeats(connection, use),
        use is not None and _keeps_for_good(connection, use),
    )


def _begins(column: Column[str], id_: str) -> ColumnElement[bool]:
    """Return the condition that a check belongs to a key, as an index answers it."""
    return column.between(id_, id_ + "g")


def _count(connection: Connection, column: Column[str], *where: Condition) -> int:
    return connection.scalar(select(func.count(column)).where(*where)) or 0


def _repeats(connection: Connection, use: AnyRow) -> bool:
    """Say whether a delivery is on record that may have come while a key was in use."""
    return bool(connection.scalar(select(exists(select(deliveries.c.id).where(_since(deliveries.c.id, use))))))


def _keeps_for_good(connection: Connection, use: AnyRow) -> bool:
    lasting = select(replays.c.request_id).where(_since(replays.c.request_id, use), replays.c.expires_at.is_(None))
    return bool(connection.scalar(select(exists(lasting))))


def _since(column: Column[str], use: AnyRow) -> ColumnElement[bool]:
    """Return the condition that a row was born while a key was in use: ids sort by time."""
    return column.between(first_id(use.first_used_at), first_id(use.last_used_at + _LATER))

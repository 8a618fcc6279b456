"""The suppression list: who was deleted, by keyed hash. No value is ever stored here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, bindparam, delete, func, select, update

from connector.ids import new_ids
from connector.private import Private
from connector.states import FULFILLED_TARGETS
from connector.store import vault
from connector.store.columns import AnyRow
from connector.store.insertion import insert_or_leave
from connector.store.moves import parts
from connector.store.pseudonym_keys import checks_of
from connector.store.tables import targets
from connector.store.watch_tables import returns, suppressions, watched
from connector.store.watched import lock

_PART: Final = 1_000
_RENEWED: Final = ("key_check", "share_hash", "share_key", "source", "request_id", "since")
_RENEW: Final = (
    update(suppressions)
    .where(suppressions.c.id == bindparam("of"))
    .values({name: bindparam(f"new_{name}") for name in _RENEWED})
)

_RENAME: Final = (
    update(suppressions)
    .where(suppressions.c.id == bindparam("of"))
    .values(value_hash=bindparam("hash"), key_check=bindparam("check"))
)


@dataclass(frozen=True, slots=True)
class NewEntry:
    """Somebody who was deleted, as one field of one table of an account knows them."""

    account: str
    table: str
    field: str
    value: Private
    value_hash: str
    share_hash: str
    source: str
    request_id: str

    @property
    def key(self) -> tuple[str, str]:
        return self.account, self.value_hash


def gone(connection: Connection, request_ids: Collection[str]) -> Sequence[AnyRow]:
    """Return what of requests is gone from Lytics, with its value: deleted, or never there."""
    columns = ("id", "request_id", "account", "lytics_table", "field", "value", "value_hash")
    rows: list[AnyRow] = []
    for part in parts(request_ids):
        asked = select(*(targets.c[name] for name in columns)).where(
            targets.c.request_id.in_(part), targets.c.state.in_(FULFILLED_TARGETS)
        )
        rows += vault.opened(connection, connection.execute(asked).all(), targets.c.value)
    return rows


def put(
    connection: Connection, new: Sequence[NewEntry], key_check: str, share_key: str, now: datetime
) -> Mapping[tuple[str, str], str]:
    """Put entries on the list, or renew those that are there; return their ids by account and hash.

    In one order, so that two who put the same do not wait for each other in a circle.
    """
    distinct = dict(sorted({one.key: one for one in new}.items()))
    rows: list[dict[str, Any]] = [
        {
            "id": id_,
            "account": one.account,
            "lytics_table": one.table,
            "field": one.field,
            "value_hash": one.value_hash,
            "key_check": key_check,
            "share_hash": one.share_hash,
            "share_key": share_key,
            "source": one.source,
            "request_id": one.request_id,
            "since": now,
        }
        for id_, one in zip(new_ids([now] * len(distinct)), distinct.values(), strict=True)
    ]
    if not rows:
        return {}
    connection.execute(insert_or_leave(connection.dialect.name, suppressions, ("account", "value_hash")), rows)
    known = ids_of(connection, distinct)
    inserted = {row["id"] for row in rows}
    renewed = [
        {"of": known[row["account"], row["value_hash"]], **{f"new_{name}": row[name] for name in _RENEWED}}
        for row in rows
        if known[row["account"], row["value_hash"]] not in inserted
    ]
    if renewed:
        connection.execute(_RENEW, renewed)
    return known


def ids_of(connection: Connection, keys: Iterable[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
    """Return the ids of entries by account and hash."""
    found: dict[tuple[str, str], str] = {}
    by_account: dict[str, list[str]] = {}
    for account, value_hash in keys:
        by_account.setdefault(account, []).append(value_hash)
    for account, hashes in by_account.items():
        for part in parts(hashes):
            asked = select(suppressions.c.value_hash, suppressions.c.id).where(
                suppressions.c.account == account, suppressions.c.value_hash.in_(part)
            )
            found |= {(account, value_hash): id_ for value_hash, id_ in connection.execute(asked)}
    return found


def known(connection: Connection, account: str, hashes: Collection[str]) -> Mapping[str, str]:
    """Return the ids of those of the hashes that are on an account's list, by hash."""
    return {value_hash: id_ for (_, value_hash), id_ in ids_of(connection, [(account, one) for one in hashes]).items()}


def rename(connection: Connection, new: Mapping[str, tuple[str, str]], key_check: str) -> None:
    """Write under another key what entries are known by: their account and hash, by their ids."""
    renamed = [{"of": id_, "hash": value_hash, "check": key_check} for id_, (_, value_hash) in sorted(new.items())]
    if renamed:
        connection.execute(_RENAME, renamed)


def keys_in_use(connection: Connection) -> set[str]:
    """Return under which keys entries were made."""
    return set(checks_of(connection, suppressions.c.key_check))


def shared(connection: Connection, account: str, share_key: str) -> Iterator[bytes]:
    """Give the hashes of an account that were made under a shared key, a part at a time."""
    last = ""
    here = (suppressions.c.account == account, suppressions.c.share_key == share_key)
    columns = (suppressions.c.id, suppressions.c.share_hash)
    while rows := connection.execute(
        select(*columns).where(*here, suppressions.c.id > last).order_by(suppressions.c.id).limit(_PART)
    ).all():
        yield from (bytes.fromhex(row.share_hash) for row in rows)
        last = rows[-1].id


def count(connection: Connection, account: str, share_key: str | None = None) -> int:
    """Count the entries of an account; only those under one shared key if that is given."""
    under = [] if share_key is None else [suppressions.c.share_key == share_key]
    asked = select(func.count()).select_from(suppressions).where(suppressions.c.account == account, *under)
    return connection.scalar(asked) or 0


def listed(connection: Connection, after: str, limit: int) -> Sequence[AnyRow]:
    """Return entries by their ids, which is by age, each with the state of the watch over it, if there is one."""
    asked = select(suppressions, watched.c.state, watched.c.next_at, watched.c.ends_at, watched.c.again)
    joined = asked.select_from(suppressions.outerjoin(watched, watched.c.id == suppressions.c.id))
    return connection.execute(joined.where(suppressions.c.id > after).order_by(suppressions.c.id).limit(limit)).all()


def older_than(connection: Connection, before: datetime, limit: int) -> Sequence[str]:
    """Return entries whose last deletion was before a time, the earliest first."""
    asked = select(suppressions.c.id).where(suppressions.c.since < before)
    return connection.scalars(asked.order_by(suppressions.c.since, suppressions.c.id).limit(limit)).all()


def under_other_keys(connection: Connection, checks: Collection[str], limit: int) -> Sequence[str]:
    """Return entries that were made under other pseudonym keys than these, and recognise nobody any more."""
    found: list[str] = []
    for one in sorted(keys_in_use(connection).difference(checks)):
        asked = select(suppressions.c.id).where(suppressions.c.key_check == one).order_by(suppressions.c.id)
        found += connection.scalars(asked.limit(limit - len(found))).all()
    return found


def there(connection: Connection, ids: Collection[str]) -> list[str]:
    """Return those of the ids that are entries."""
    return [
        one
        for part in parts(ids)
        for one in connection.scalars(select(suppressions.c.id).where(suppressions.c.id.in_(part)))
    ]


def end(connection: Connection, ids: Collection[str]) -> int:
    """Remove entries, and with them their watch and its sealed value; return how many there were."""
    ended = 0
    # Everybody locks watches before entries.
    lock(connection, ids)
    for part in parts(ids):
        connection.execute(delete(returns).where(returns.c.suppression_id.in_(part)))
        connection.execute(delete(watched).where(watched.c.id.in_(part)))
        ended += connection.execute(delete(suppressions).where(suppressions.c.id.in_(part))).rowcount
    return ended

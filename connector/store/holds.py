"""The legal hold list, by keyed hash. No value is ever stored here."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, func, select, update

from connector.ids import new_id
from connector.states import RequestState
from connector.store.audit import Decision
from connector.store.columns import AnyRow
from connector.store.guard_tables import hold_forms, holds
from connector.store.insertion import insert_or_leave
from connector.store.moves import parts
from connector.store.pseudonym_keys import checks_of
from connector.store.requests import lock_all
from connector.store.tables import requests

#: Why a request was refused, or stopped, that names somebody on the list.
LEGAL_HOLD: Final = "legal_hold"
# Any number that nobody else uses in the same PostgreSQL database; see `store.database`.
_LIST_LOCK: Final = 0x636F6E70
_STANDING: Final = holds.c.removed_at.is_(None)


def let_nobody_submit(connection: Connection) -> None:
    """Wait until every intent that is being written is committed, and keep others from being written until the end.

    So a hold that is committed was seen by every call that was not made before it. SQLite has one writer at a time.
    """
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock(_LIST_LOCK)))


def let_nobody_add(connection: Connection) -> None:
    """Keep the list as it is until this transaction ends; several may do so at the same time."""
    if connection.dialect.name != "sqlite":
        connection.execute(select(func.pg_advisory_xact_lock_shared(_LIST_LOCK)))


def keys_in_use(connection: Connection) -> set[str]:
    """Return under which keys the standing holds were made."""
    return set(checks_of(connection, holds.c.key_check, _STANDING))


def known(connection: Connection, hashes: Iterable[str]) -> set[str]:
    """Return which of the hashes are on the list."""
    return {
        one
        for part in parts(set(hashes))
        for one in connection.scalars(select(hold_forms.c.value_hash).where(hold_forms.c.value_hash.in_(part)))
    }


def add(
    connection: Connection, hashes: Sequence[str], forms: Collection[str], key_check: str, decision: Decision
) -> tuple[str, bool]:
    """Put an identity on the list; return the id of its hold and whether it is new.

    One that is on it already keeps its reason, and gets the forms that it did not have. If it was listed under a former
    key, it comes under the present one.

    Args:
        hashes: its hashes under every key, the one that counts now first.
    """
    value_hash = hashes[0]
    there = connection.execute(
        select(holds.c.id, holds.c.key_check).where(holds.c.value_hash.in_(hashes), _STANDING).order_by(holds.c.id)
    ).first()
    is_new = there is None
    if there is not None:
        hold_id = there.id
        if there.key_check != key_check:
            connection.execute(delete(hold_forms).where(hold_forms.c.hold_id == hold_id))
            mine = update(holds).where(holds.c.id == hold_id)
            connection.execute(mine.values(value_hash=value_hash, key_check=key_check))
    else:
        hold_id = new_id(decision.at)
        connection.execute(
            holds.insert().values(
                id=hold_id,
                value_hash=value_hash,
                key_check=key_check,
                reason=decision.reason,
                placed_by=decision.by,
                placed_at=decision.at,
            )
        )
    rows = [{"value_hash": one, "hold_id": hold_id} for one in sorted({value_hash, *forms})]
    connection.execute(insert_or_leave(connection.dialect.name, hold_forms, ("value_hash", "hold_id")), rows)
    return hold_id, is_new


def find(connection: Connection, *, hashes: Collection[str] = (), hold_id: str = "") -> Sequence[str]:
    """Return the ids of standing holds: of an identity, or by the id itself."""
    condition = holds.c.value_hash.in_(hashes) if hashes else holds.c.id == hold_id
    return connection.scalars(select(holds.c.id).where(condition, _STANDING).order_by(holds.c.id)).all()


def under_other_keys(connection: Connection, checks: Collection[str]) -> Sequence[str]:
    """Return the ids of standing holds that were made under other keys than these."""
    return [
        hold_id
        for one in sorted(keys_in_use(connection).difference(checks))
        for hold_id in connection.scalars(
            select(holds.c.id).where(holds.c.key_check == one, _STANDING).order_by(holds.c.id)
        )
    ]


def remove(connection: Connection, hold_id: str, now: datetime) -> None:
    """Take a hold off the list: nothing is looked for by it any more. That it stood there stays on record."""
    connection.execute(update(holds).where(holds.c.id == hold_id).values(removed_at=now))
    connection.execute(delete(hold_forms).where(hold_forms.c.hold_id == hold_id))


def look_again(connection: Connection) -> int:
    """Let every request that was stopped by the list be mapped again, which asks the list; return how many."""
    stopped = connection.scalars(
        select(requests.c.id).where(requests.c.state == RequestState.HELD, requests.c.reason == LEGAL_HOLD)
    ).all()
    ids = [row.id for row in lock_all(connection, stopped) if row.state is RequestState.HELD]
    for part in parts(ids):
        connection.execute(update(requests).where(requests.c.id.in_(part)).values(mapping_digest=""))
    return len(ids)


def listed(connection: Connection, after: str, limit: int) -> Sequence[AnyRow]:
    """Return standing holds by their ids, which is by age."""
    return connection.execute(
        select(holds).where(_STANDING, holds.c.id > after).order_by(holds.c.id).limit(limit)
    ).all()

"""How that stands which goes on beside deletions, for metrics and alerts: access requests, the watch, proofs and keys.

Like `store.pulse`: every question is answered by an index and reads at most `MOST` rows. No personal value is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, func, select, text

from connector.states import WatchState
from connector.store import data_keys, ledger, own_keys, pulse
from connector.store.access_tables import access_fetches
from connector.store.guard_tables import audit
from connector.store.ledger_tables import receipts
from connector.store.own_keys import Purpose
from connector.store.pulse import Crowd
from connector.store.tables import history
from connector.store.watch_tables import watched

# Word for word as in the indexes that answer them.
_THERE_AGAIN: Final = text("watched.state <> 'watching'")
_LOOKED_FOR: Final = text("watched.state <> 'deleting'")
_OWED: Final = text("receipts.issued_at IS NULL")
_NOT_LOGGED: Final = text("log_index IS NULL")
_WAITING: Final = text("access_fetches.state = 'waiting'")


@dataclass(frozen=True, slots=True)
class Upkeep:
    """How it stands. Keys are names of sources and accounts as the store has them.

    Attributes:
        fetches: profiles that access requests ask for and that are not read, and since when the first is due.
        looks: people whose next look is due, and since when the first is.
        there_again: values that were there again after their deletion when they were looked for last.
        receipts: those that are owed, and since when the first is.
        entries: how many the audit log has.
        not_logged_since: when the first move or decision was made that is not in it yet.
        former_data_keys: how many are under another key than the first of the ring.
        own_keys: when each key that is used now was used first.
    """

    fetches: Mapping[str, Crowd]
    looks: Mapping[str, Crowd]
    there_again: Mapping[tuple[str, WatchState], int]
    receipts: Crowd
    entries: int
    not_logged_since: datetime | None
    former_data_keys: int
    own_keys: Mapping[Purpose, datetime]


def take(connection: Connection, now: datetime, accounts: Iterable[str], in_use: Mapping[Purpose, str]) -> Upkeep:
    """Look at everything once.

    Args:
        accounts: those that are configured.
        in_use: the ids of our own keys that are used now.
    """
    names, sealing = sorted(accounts), in_use.get(Purpose.SEALING)
    return Upkeep(
        fetches={name: _crowd(connection, _fetches(name)) for name in names},
        looks={name: _crowd(connection, _looks(name, now)) for name in names},
        there_again=there_again(connection),
        receipts=_crowd(connection, _receipts()),
        entries=ledger.size_of(connection),
        not_logged_since=min(filter(None, map(partial(_not_logged, connection), (history, audit))), default=None),
        former_data_keys=data_keys.count_others(connection, sealing, pulse.MOST) if sealing else 0,
        own_keys=own_keys.first_uses(connection, in_use),
    )


def there_again(connection: Connection) -> dict[tuple[str, WatchState], int]:
    """Count the values that are watched and were there again when they were looked for last, by source and state."""
    # SQLite calls it a walk through the table unless the index is asked for a beginning; so below.
    those = select(watched.c.source, watched.c.state).where(_THERE_AGAIN, watched.c.source > "")
    each = those.limit(pulse.MOST).subquery()
    asked = select(each.c.source, each.c.state, func.count().label("number")).group_by(each.c.source, each.c.state)
    return {(row.source, row.state): row.number for row in connection.execute(asked)}


def _receipts() -> Select[Any]:
    key = receipts.c.request_id
    return select(receipts.c.owed_at.label("since")).where(_OWED, key > "").order_by(key)


def _not_logged(connection: Connection, table: Table) -> datetime | None:
    asked = select(table.c.at).where(_NOT_LOGGED, table.c.id > 0).order_by(table.c.id).limit(1)
    at: datetime | None = connection.scalar(asked)
    return at


def _fetches(account: str) -> Select[Any]:
    at = access_fetches.c.next_at
    return select(at.label("since")).where(access_fetches.c.account == account, _WAITING).order_by(at)


def _looks(account: str, now: datetime) -> Select[Any]:
    at = watched.c.next_at
    return select(at.label("since")).where(watched.c.account == account, at <= now, _LOOKED_FOR).order_by(at)


def _crowd(connection: Connection, asked: Select[Any]) -> Crowd:
    each = asked.limit(pulse.MOST).subquery()
    number, since = connection.execute(select(func.count(), func.min(each.c.since))).one()
    return Crowd(number, since)

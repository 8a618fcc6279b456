"""When secrets were used, and replay keys that nobody needs any more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, delete, select, tuple_, update

from connector.store.columns import AnyRow
from connector.store.insertion import insert_if_new
from connector.store.source_tables import key_uses
from connector.store.tables import replays

MAX_ID_CHARS: Final = 200
#: Under this name stand the uses of the store's pseudonym keys. No source can have it.
PSEUDONYMS: Final = ":pseudonyms"


def note_use(connection: Connection, source: str, secret_id: str, now: datetime) -> None:
    """Write down that a secret was used."""
    key = {"source": source, "secret_id": secret_id}
    values = {**key, "first_used_at": now, "last_used_at": now}
    if insert_if_new(connection, key_uses, values, ("source", "secret_id")) is not None:
        return
    connection.execute(
        update(key_uses)
        # Never back: another process may have written a later use.
        .where(key_uses.c.source == source, key_uses.c.secret_id == secret_id, key_uses.c.last_used_at < now)
        .values(last_used_at=now)
    )


def uses(connection: Connection) -> Sequence[AnyRow]:
    """Return every secret of a source that was ever used, by source and id."""
    of_sources = select(key_uses).where(key_uses.c.source != PSEUDONYMS)
    return connection.execute(of_sources.order_by(key_uses.c.source, key_uses.c.secret_id)).all()


def prune_replays(connection: Connection, before: datetime, limit: int) -> int:
    """Forget at most `limit` replay keys whose deliveries the checks refuse since `before`; return how many."""
    old = (
        select(replays.c.source, replays.c.replay_hash)
        .where(replays.c.expires_at < before)
        .order_by(replays.c.expires_at)
        .limit(limit)
    )
    rows = connection.execute(old).all()
    if rows:
        connection.execute(
            delete(replays).where(tuple_(replays.c.source, replays.c.replay_hash).in_(list(map(tuple, rows))))
        )
    return len(rows)

"""When each key of our own was used first: those that personal values are sealed with, and those that sign."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection, select, tuple_

from connector.store.alert_tables import own_keys
from connector.store.insertion import insert_or_leave


class Purpose(StrEnum):
    """What a key is for."""

    SEALING = "sealing"
    SIGNING = "signing"


def note(connection: Connection, in_use: Mapping[Purpose, str], now: datetime) -> None:
    """Write down that keys are used, unless that is known."""
    rows = [{"purpose": purpose.value, "key_id": key_id, "first_at": now} for purpose, key_id in in_use.items()]
    if rows:
        connection.execute(insert_or_leave(connection.dialect.name, own_keys, ("purpose", "key_id")), rows)


def first_uses(connection: Connection, in_use: Mapping[Purpose, str]) -> dict[Purpose, datetime]:
    """Return when keys were used first, as far as that is known."""
    pairs = [(purpose.value, key_id) for purpose, key_id in in_use.items()]
    same = tuple_(own_keys.c.purpose, own_keys.c.key_id).in_(pairs)
    rows = connection.execute(select(own_keys.c.purpose, own_keys.c.first_at).where(same)) if pairs else ()
    return {Purpose(purpose): first_at for purpose, first_at in rows}

"""Stamps on checkpoints in the store, and whose turn it is to ask for one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, select, update

from connector.store.columns import AnyRow
from connector.store.insertion import insert_if_new
from connector.store.ledger import latest_checkpoint
from connector.store.ledger_tables import checkpoints
from connector.store.stamp_tables import stamp_turn, stamps

_ONLY: Final = 1
_PART: Final = 200


def unstamped(connection: Connection) -> AnyRow | None:
    """Return the checkpoint of the longest log, unless it has a stamp."""
    latest = latest_checkpoint(connection)
    return latest if latest is not None and find(connection, latest.size) is None else None


def find(connection: Connection, size: int) -> AnyRow | None:
    """Return the stamp of the checkpoint over so many entries, if it has one."""
    return connection.execute(select(stamps).where(stamps.c.size == size)).one_or_none()


def latest(connection: Connection) -> AnyRow | None:
    """Return the longest log's checkpoint that has a stamp, and the stamp."""
    # SQLite calls it a walk through the table unless the key is asked for a beginning.
    asked = select(stamps, checkpoints.c.note).join(checkpoints, checkpoints.c.size == stamps.c.size)
    return connection.execute(asked.where(stamps.c.size > 0).order_by(stamps.c.size.desc()).limit(1)).one_or_none()


def all_of(connection: Connection, size: int) -> Iterator[AnyRow]:
    """Give every stamp of a log up to this size, the shortest first, with its checkpoint's note; None without one."""
    behind = 0
    while True:
        asked = select(stamps, checkpoints.c.note).outerjoin(checkpoints, checkpoints.c.size == stamps.c.size)
        asked = asked.where(stamps.c.size > behind, stamps.c.size <= size).order_by(stamps.c.size).limit(_PART)
        rows = connection.execute(asked).all()
        if not rows:
            return
        yield from rows
        behind = rows[-1].size


def is_due(connection: Connection, now: datetime) -> bool:
    """Say whether the authority may be asked."""
    next_at = connection.scalar(select(stamp_turn.c.next_at).where(stamp_turn.c.id == _ONLY))
    return next_at is None or next_at <= now


def take_turn(connection: Connection, now: datetime, until: datetime) -> int | None:
    """Let nobody else ask until then; return how many tries in a row failed, or None if it is not our turn."""
    insert_if_new(connection, stamp_turn, {"id": _ONLY, "next_at": now, "failures": 0}, ("id",))
    mine = update(stamp_turn).where(stamp_turn.c.id == _ONLY, stamp_turn.c.next_at <= now)
    failures: int | None = connection.scalar(mine.values(next_at=until).returning(stamp_turn.c.failures))
    return failures


def give_turn(connection: Connection, next_at: datetime, failures: int) -> None:
    """Say when the authority may be asked next, and how many tries in a row failed."""
    connection.execute(update(stamp_turn).where(stamp_turn.c.id == _ONLY).values(next_at=next_at, failures=failures))


def keep(connection: Connection, size: int, at: datetime, authority: str, token: bytes) -> None:
    """Keep the stamp of a checkpoint; one that it has already stays."""
    values = {"size": size, "stamped_at": at, "authority": authority, "token": base64.b64encode(token).decode()}
    insert_if_new(connection, stamps, values, ("size",))


def token_of(row: AnyRow) -> bytes:
    """Return the token of a stamp; empty if what is kept is none."""
    try:
        return base64.b64decode(row.token, validate=True)
    except (binascii.Error, ValueError):
        return b""

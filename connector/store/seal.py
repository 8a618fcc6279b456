"""A SQLite store that was moved away takes nothing any more: a delivery that it accepted would never be carried out.

New processes find the mark in the place of the schema's revision and refuse to start. A receiver that has it open
already is stopped by triggers: it answers 503, and the sender repeats.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from connector.store import schema
from connector.store.database import Database
from connector.store.tables import metadata

# Somebody who only looks is gone by then.
_PATIENCE_S: Final = 3.0
_LOOK_S: Final = 0.1


def is_open_elsewhere(source: Database) -> bool:
    """Say whether another process keeps the SQLite file open.

    With a write-ahead log every open connection holds a shared lock, and the first access in exclusive locking mode
    wants the file for itself (https://sqlite.org/wal.html#use_of_wal_without_shared_memory).
    """
    source.engine.dispose()
    library = source.engine.dialect.loaded_dbapi
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        probe = library.connect(str(source.file), timeout=0, isolation_level=None)
        try:
            probe.execute("PRAGMA locking_mode = EXCLUSIVE")
            probe.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except library.OperationalError:
            if time.monotonic() > deadline:
                return True
        else:
            return False
        finally:
            probe.close()
        time.sleep(_LOOK_S)


def identity(connection: Connection) -> int:
    """Return the number by which a SQLite file is known again, wherever it lies; a first one is drawn by chance.

    It stands in the file's own header (https://sqlite.org/pragma.html#pragma_user_version).
    """
    number = int(connection.exec_driver_sql("PRAGMA user_version").scalar_one())
    if not number:
        number = 1 + secrets.randbelow(2**31 - 1)
        connection.exec_driver_sql(f"PRAGMA user_version = {number}")
    return number


def close(connection: Connection) -> None:
    """Let nothing be written to the store from the commit on."""
    schema.mark(connection, schema.MOVED)
    for name, table, event in _triggers():
        connection.execute(
            text(f"CREATE TRIGGER {name} BEFORE {event} ON {table} BEGIN SELECT RAISE(ABORT, 'moved'); END")
        )


def open_again(connection: Connection) -> None:
    """Take back `close`, because the move is not at its end."""
    schema.mark(connection, schema.newest())
    for name, _, _ in _triggers():
        connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))


def _triggers() -> Iterator[tuple[str, str, str]]:
    for table in metadata.tables:
        for event in ("INSERT", "UPDATE", "DELETE"):
            yield f"moved_{table}_{event.lower()}", table, event

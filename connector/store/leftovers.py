"""What SQLite leaves in its file of rows that were changed: none of it may be readable once values are sealed.

Content that is deleted or replaced is overwritten (`PRAGMA secure_delete`), but what older versions had freed lies in
free pages, and what was written lies in the log until that is begun anew. So the file is written anew after the
migration that seals. A mark in the file's header, set in the migration's own transaction, says that this is still to be
done: nothing works on such a store before.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any, Final

from sqlalchemy import Connection

from connector.codes import Code
from connector.errors import Misconfigured, Temporary
from connector.store.database import BUSY_TIMEOUT_MS, Database, translated

# In the place for an application's number, which SQLite itself ignores (https://sqlite.org/pragma.html).
_TO_CLEAN: Final = 0x636C6E
_CHECKPOINT: Final = "PRAGMA wal_checkpoint(TRUNCATE)"


def mark(connection: Connection) -> None:
    """Note that readable leftovers may be in the file. PostgreSQL removes them by itself (`VACUUM`)."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(f"PRAGMA application_id = {_TO_CLEAN}")


def require_none(database: Database) -> None:
    """Raise `Misconfigured` if the file still has to be written anew."""
    if database.is_sqlite and _is_marked(database):
        raise Misconfigured(Code.STORE_OUTDATED, "readable leftovers are still in the file")


def remove(database: Database) -> None:
    """Write a marked file anew. Killed at any moment, it is still marked, and as good as before.

    Raises:
        Temporary: another process is reading it.
    """
    if not database.is_sqlite or not _is_marked(database):
        return
    with translated(), closing(database.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        _give(cursor, "VACUUM")
        _truncate(cursor)
        _give(cursor, "PRAGMA application_id = 0")
        _truncate(cursor)


def truncate_log(database: Database) -> bool:
    """Begin SQLite's log anew, so that nothing older is left in it; False if somebody is reading just now."""
    if not database.is_sqlite:
        return True
    with translated(), closing(database.engine.raw_connection()) as connection:
        cursor = connection.cursor()
        # Writers wait meanwhile, so it waits for nobody; the next time does as well.
        cursor.execute("PRAGMA busy_timeout = 0")
        try:
            return not _is_busy(cursor)
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _truncate(cursor: Any) -> None:
    if _is_busy(cursor):
        raise Temporary(Code.STORE_BUSY, "another process is reading the store")


def _is_busy(cursor: Any) -> bool:
    return bool(_give(cursor, _CHECKPOINT).fetchone()[0])


def _give(cursor: Any, statement: str) -> Any:
    return cursor.execute(statement)


def _is_marked(database: Database) -> bool:
    with database.read() as connection:
        return int(connection.exec_driver_sql("PRAGMA application_id").scalar_one()) == _TO_CLEAN

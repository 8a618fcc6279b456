"""Stores with the present schema, made quickly: SQLite's migrations run once in a process, then the file is copied."""

from __future__ import annotations

from connector.store import schema
from connector.store.database import Database

_MADE: list[bytes] = []


def bring_up_to_date(database: Database) -> None:
    """Give a store that was just opened the newest schema, if it is an empty file of SQLite by a copy."""
    file = database.file
    if file is None or file.stat().st_size:
        if schema.current(database) != schema.newest():
            schema.upgrade(database)
        return
    if _MADE:
        file.write_bytes(_MADE[0])
        return
    schema.upgrade(database)
    with database.engine.connect() as connection:
        connection.commit()
        # Everything into the one file that is copied.
        busy, _, _ = connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    if not busy:
        _MADE.append(file.read_bytes())

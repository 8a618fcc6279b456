"""Stores with the present schema, made quickly: SQLite's migrations run once in a process, then the file is copied."""

from __future__ import annotations

import psycopg

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


def all_bytes(store: Database) -> bytes:
    """Return all bytes of a store: SQLite's files with log and free pages, or a copy of every table of PostgreSQL."""
    file = store.file
    if file is not None:
        return b"".join(one.read_bytes() for one in sorted(file.parent.glob(f"{file.name}*")))
    url = store.url.render_as_string(hide_password=False).replace("postgresql+psycopg://", "postgresql://")
    found = []
    with psycopg.connect(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (name,) in names:
            with connection.cursor().copy(f'COPY "{name}" TO STDOUT') as copied:
                found += [bytes(one) for one in copied]
    return b"".join(found)

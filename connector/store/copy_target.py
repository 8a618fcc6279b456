"""The target of a copy: what it holds so far, and the mark that keeps every process away from half a store.

How far a copy has come stands in the target, in a table of its own, and is written in the same transaction as the rows:
the number of rows of each table, in the order of its primary key, and their digest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    MetaData,
    String,
    Table,
    func,
    insert,
    inspect,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.exc import DataError, IntegrityError

from connector.codes import Code
from connector.errors import Misconfigured
from connector.store import schema
from connector.store.columns import AnyRow
from connector.store.database import Database
from connector.store.sums import Sum
from connector.store.tables import metadata

_PROGRESS: Final = Table(
    "store_copy",
    MetaData(),
    Column("table_name", String(64), primary_key=True),
    Column("source", BigInteger, nullable=False),
    Column("revision", String(32), nullable=False),
    Column("row_count", BigInteger, nullable=False),
    Column("digest", String(64), nullable=False),
)
_EMPTY_DATABASE: Final = "give an empty database"
_OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND backend_type = 'client backend'"
)
# Somebody who only looks is gone by then.
_PATIENCE_S: Final = 3.0
_LOOK_S: Final = 0.1


def is_in_use(target: Database) -> bool:
    """Say whether another session of our role is connected: a worker there would begin with half a store.

    What sessions of other roles are is not shown (https://www.postgresql.org/docs/current/monitoring-stats.html).
    """
    target.engine.dispose()
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        with target.read() as connection:
            others = connection.scalar(text(_OTHERS))
        if not others or time.monotonic() > deadline:
            return bool(others)
        time.sleep(_LOOK_S)


def holds_part_of(target: Database, number: int) -> bool:
    """Say whether the target holds an unfinished copy of this source, or nothing.

    Args:
        number: by which the source is known again.

    Raises:
        Misconfigured: it holds something else.
    """
    found = schema.current(target)
    if found == schema.COPY_FAILED:
        raise Misconfigured(Code.COPY_REFUSED, f"the target's last copy was not equal to its source; {_EMPTY_DATABASE}")
    with target.read() as connection:
        if found != schema.COPYING:
            if connection.scalar(text("SHOW server_encoding")) != "UTF8":
                raise Misconfigured(Code.COPY_REFUSED, "the target's encoding is not UTF8; create it with that")
            if _holds_rows(connection):
                raise Misconfigured(Code.COPY_REFUSED, f"the target holds other data; {_EMPTY_DATABASE}")
            return False
        owners = connection.execute(select(_PROGRESS.c.source, _PROGRESS.c.revision).distinct()).all()
    if [one.source for one in owners] != [number]:
        raise Misconfigured(Code.COPY_REFUSED, f"the target holds a part of another store; {_EMPTY_DATABASE}")
    if owners[0].revision != schema.newest():
        raise Misconfigured(Code.COPY_REFUSED, f"another version has begun this copy; {_EMPTY_DATABASE}")
    return True


def _holds_rows(connection: Connection) -> bool:
    there = set(inspect(connection).get_table_names()) & set(metadata.tables)
    # Without naming a column: an older schema may lack some.
    return any(
        connection.scalar(select(literal(1)).select_from(metadata.tables[name]).limit(1)) is not None for name in there
    )


def begin(target: Database, number: int) -> None:
    """Make the tables, and mark the target as half a store before the first row comes."""
    schema.upgrade(target)
    start = {"source": number, "revision": schema.newest(), "row_count": 0, "digest": ""}
    with target.write() as connection:
        schema.mark(connection, schema.COPYING)
        _PROGRESS.create(connection)
        connection.execute(insert(_PROGRESS), [{"table_name": name, **start} for name in metadata.tables])


def copied_so_far(target: Database) -> Mapping[str, Sum]:
    """Return what is there, by table; tables without rows are left out."""
    with target.read() as connection:
        rows = connection.execute(select(_PROGRESS)).all()
    return {row.table_name: Sum(row.row_count, row.digest) for row in rows if row.row_count}


def start_over(target: Database) -> None:
    """Remove what was copied."""
    with target.write() as connection:
        connection.execute(text(f"TRUNCATE {', '.join(metadata.tables)}"))
        connection.execute(update(_PROGRESS).values(row_count=0, digest=""))


def put(target: Database, table: Table, rows: Sequence[AnyRow], copied: Sum) -> None:
    """Write rows and how far that is, both or neither.

    Raises:
        Misconfigured: PostgreSQL does not take one of them, such as a text that is longer than its column.
    """
    values = [{one.key: row._mapping[one] for one in table.c} for row in rows]  # noqa: SLF001 - the documented name
    with target.write() as connection:
        if not _fits(connection, table, values):
            raise Misconfigured(Code.COPY_REFUSED, _unfit(connection, table, values))
        connection.execute(
            update(_PROGRESS)
            .where(_PROGRESS.c.table_name == table.name)
            .values(row_count=copied.rows, digest=copied.digest)
        )


def _fits(connection: Connection, table: Table, values: Sequence[dict[str, Any]]) -> bool:
    """Insert rows, all or none; say whether that was possible."""
    try:
        with connection.begin_nested():
            connection.execute(insert(table), values)
    except (DataError, IntegrityError):
        return False
    return True


def _unfit(connection: Connection, table: Table, values: Sequence[dict[str, Any]]) -> str:
    """Say which row it is, by its key: ids of our own and keyed hashes. Nothing else of it is shown."""
    unfit = next((row for row in values if not _fits(connection, table, [row])), None)
    key = " ".join(str(unfit[column.name]) for column in table.primary_key) if unfit else "unknown"
    return f"PostgreSQL does not take a value in table {table.name}, row {key}"


def open_store(target: Database) -> None:
    """Make the target a store like any other."""
    with target.write() as connection:
        for table in metadata.sorted_tables:
            if (column := table.autoincrement_column) is not None:
                _carry_on_numbers(connection, table, column)
        _PROGRESS.drop(connection)
        schema.mark(connection, schema.newest())
        # The planner knows nothing yet of tables that were filled this fast.
        for name in metadata.tables:
            connection.execute(text(f"ANALYZE {name}"))


def _carry_on_numbers(connection: Connection, table: Table, column: Column[int]) -> None:
    """Let the numbers that PostgreSQL gives out begin behind those that were copied."""
    last = connection.scalar(select(func.max(column)))
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    connection.execute(select(func.setval(sequence, last or 1, last is not None)))


def give_up(target: Database) -> None:
    """Mark the target as unusable, for good."""
    with target.write() as connection:
        schema.mark(connection, schema.COPY_FAILED)

"""Insert a row unless there is one like it. A unique index decides, also between two processes at the same moment."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table
from sqlalchemy.dialects import postgresql, sqlite

from connector.store.columns import AnyRow


@cache
def insert_or_leave(dialect: str, table: Table, unique: tuple[str, ...]) -> Any:
    """Return the statement that inserts rows except where one with the same `unique` columns exists.

    A unique index decides, also between two processes at the same moment.
    """
    dialect_insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return dialect_insert(table).on_conflict_do_nothing(index_elements=list(unique))


@cache
def _insert_and_return(dialect: str, table: Table, unique: tuple[str, ...]) -> Any:
    # RETURNING tells on both databases whether there was an insertion; a row count does not.
    return insert_or_leave(dialect, table, unique).returning(table)


def insert_if_new(
    connection: Connection, table: Table, values: Mapping[str, Any], unique: tuple[str, ...]
) -> AnyRow | None:
    """Insert a row and return it, or return None if one with the same `unique` columns exists."""
    statement = _insert_and_return(connection.dialect.name, table, unique)
    return connection.execute(statement, dict(values)).one_or_none()

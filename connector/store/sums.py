"""What a table holds, as a number of rows and a digest, made alike from both databases.

The digest goes over the values as the column types give them, row by row in the order of the primary key, so that it
can be carried on where it ended. It finds what a copy has lost, doubled or changed; it is no seal against a forger.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, String, Table, TypeDecorator, collate, select

from connector.crypto.seal import Sealed
from connector.store.columns import AnyRow

# Rows in memory at a time.
PART_ROWS: Final = 1000


@dataclass(frozen=True, slots=True)
class Sum:
    """The first `rows` rows of a table."""

    rows: int = 0
    digest: str = ""

    def extended(self, rows: Iterable[AnyRow]) -> Sum:
        """Return the sum with the rows that follow."""
        number, digest = self.rows, bytes.fromhex(self.digest)
        for number, row in enumerate(rows, self.rows + 1):  # noqa: B007 - how many there were
            digest = sha256(digest + _ENCODER.encode(tuple(row)).encode()).digest()
        return Sum(number, digest.hex())


def sum_of(connection: Connection, table: Table, notice: Callable[[int], None], most: int | None = None) -> Sum:
    """Read a table from its beginning, in bounded memory.

    Args:
        notice: told how many rows were read since it was told last.
        most: only so many rows.
    """
    query = select(table).order_by(*in_order(connection, table)).limit(most)
    read = Sum()
    with connection.execute(query.execution_options(yield_per=PART_ROWS)) as result:
        for part in result.partitions():
            read = read.extended(part)
            notice(len(part))
    return read


def in_order(connection: Connection, table: Table) -> list[ColumnElement[Any]]:
    """Return the primary key to sort by: text by its code points, as SQLite does, whatever language PostgreSQL has."""
    if connection.dialect.name == "sqlite":
        return list(table.primary_key)
    return [collate(one, "C") if _is_text(one) else one for one in table.primary_key]


def _is_text(column: ColumnElement[Any]) -> bool:
    inner = column.type.impl_instance if isinstance(column.type, TypeDecorator) else column.type
    return isinstance(inner, String)


def _plain(value: Any) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    if isinstance(value, Sealed):
        return value.text
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(f"no digest over {type(value).__name__}")


# Sorted, because the order of the names in an object says nothing.
_ENCODER: Final = json.JSONEncoder(default=_plain, sort_keys=True, separators=(",", ":"))

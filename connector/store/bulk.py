"""Many rows in one statement, on the path where every microsecond counts.

The library composes such a statement anew for every number of rows and every row, which costs more than the database
does. Here the text is made once for each number of rows; values go through the column types as ever, so that personal
values and times are stored like everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table
from sqlalchemy.types import TypeEngine

from connector.store.columns import UtcDateTime, Word

#: SQLite takes 32,766 values in one statement unless built otherwise.
_MOST_VALUES: Final = 30_000
_MOST_KEPT: Final = 1_024
_PLACEHOLDERS: Final = {"qmark": "?", "pyformat": "%s", "format": "%s"}


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with a value for every column that the first one has."""
    _run(connection, table, rows, "")


def insert_where_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], unique: tuple[str, ...]
) -> int:
    """Insert rows except where one with the same `unique` columns exists; return how many were inserted."""
    return _run(connection, table, rows, f" ON CONFLICT ({', '.join(unique)}) DO NOTHING")


def _run(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], ending: str) -> int:
    if not rows:
        return 0
    columns = tuple(rows[0])
    processors = _processors(connection.dialect, table, columns)
    inserted = 0
    for part in _parts(rows, _MOST_VALUES // len(columns)):
        # Column by column: that is a third of the price of row by row.
        by_column = (map(process, map(itemgetter(name), part)) for name, process in processors)
        values = tuple(chain.from_iterable(zip(*by_column, strict=True)))
        text = _text(connection.dialect, table, columns, len(part)) + ending
        inserted += connection.exec_driver_sql(text, values).rowcount
    return inserted


def _parts(rows: Sequence[Mapping[str, Any]], most: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


@cache
def _processors(
    dialect: Dialect, table: Table, columns: tuple[str, ...]
) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    return tuple((name, _processor(dialect, table.c[name].type)) for name in columns)


def _processor(dialect: Dialect, kind: TypeEngine[Any]) -> Callable[[Any], Any]:
    process = kind.dialect_impl(dialect).bind_processor(dialect) or _as_it_is
    # The rows of one commit share most of their times, and all words. Personal values are never kept.
    return lru_cache(_MOST_KEPT)(process) if isinstance(kind, UtcDateTime | Word) else process


def _as_it_is(value: Any) -> Any:
    return value


@cache
def _text(dialect: Dialect, table: Table, columns: tuple[str, ...], number: int) -> str:
    quote = dialect.identifier_preparer.quote
    row = f"({', '.join([_PLACEHOLDERS[dialect.paramstyle]] * len(columns))})"
    names = ", ".join(quote(table.c[one].name) for one in columns)
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES {', '.join([row] * number)}"  # noqa: S608 - names of ours

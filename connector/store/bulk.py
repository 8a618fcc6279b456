"""Many rows in one statement, on the path where every microsecond counts.

The library composes such a statement anew for every number of rows and every row, which costs more than the database
does. Here the text is made once for each number of rows; values go through the column types as ever, so that personal
values and times are stored like everywhere else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Final

from sqlalchemy import Connection, Dialect, Table

#: SQLite takes 32,766 values in one statement unless built otherwise.
_MOST_VALUES: Final = 30_000
_PLACEHOLDERS: Final = {"qmark": "?", "pyformat": "%s", "format": "%s"}


def insert_rows(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows, each with a value for every column that the first one has."""
    _run(connection, table, rows, "")


def insert_where_new(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], unique: tuple[str, ...], key: str
) -> set[str]:
    """Insert rows except where one with the same `unique` columns exists; return the keys of those inserted."""
    return _run(connection, table, rows, f" ON CONFLICT ({', '.join(unique)}) DO NOTHING RETURNING {key}")


def _run(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], ending: str) -> set[str]:
    found: set[str] = set()
    if not rows:
        return found
    columns = tuple(rows[0])
    processors = _processors(connection.dialect, table, columns)
    for part in _parts(rows, _MOST_VALUES // len(columns)):
        values = tuple(
            row[name] if process is None else process(row[name]) for row in part for name, process in processors
        )
        text = _text(connection.dialect, table, columns, len(part)) + ending
        result = connection.exec_driver_sql(text, values)
        if ending:
            found.update(result.scalars())
    return found


def _parts(rows: Sequence[Mapping[str, Any]], most: int) -> Iterator[Sequence[Mapping[str, Any]]]:
    for start in range(0, len(rows), most):
        yield rows[start : start + most]


@cache
def _processors(
    dialect: Dialect, table: Table, columns: tuple[str, ...]
) -> tuple[tuple[str, Callable[[Any], Any] | None], ...]:
    return tuple((name, table.c[name].type.dialect_impl(dialect).bind_processor(dialect)) for name in columns)


@cache
def _text(dialect: Dialect, table: Table, columns: tuple[str, ...], number: int) -> str:
    quote = dialect.identifier_preparer.quote
    row = f"({', '.join([_PLACEHOLDERS[dialect.paramstyle]] * len(columns))})"
    names = ", ".join(map(quote, columns))
    return f"INSERT INTO {quote(table.name)} ({names}) VALUES {', '.join([row] * number)}"  # noqa: S608 - names of ours

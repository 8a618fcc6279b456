"""The guarded state change: every one goes through `move`, which knows the legal moves and the state expected.

Transactions take their locks in one order, so that none waits for another in a circle: submission, operation, requests
(by id), targets, reports.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, String, Table, type_coerce, update

from connector.states import check_move

# SQLite takes 32,766 values in one statement unless built otherwise, PostgreSQL's protocol 65,535.
_MOST_VALUES: Final = 10_000


def parts(ids: Collection[str]) -> Iterator[Sequence[str]]:
    """Cut ids into parts that fit into one statement, sorted."""
    in_order = sorted(ids)
    for start in range(0, len(in_order), _MOST_VALUES):
        yield in_order[start : start + _MOST_VALUES]


def still(table: Table, ids: Collection[str], state: StrEnum) -> ColumnElement[bool]:
    """Return the condition for those of the rows that are in a state.

    The state is compared as an expression, which no index answers: SQLite, which counts nothing beforehand, would take
    an index of states for a shorter way than some dozens of ids, and walk through everything that is in that state.
    """
    return table.c.id.in_(list(ids)) & (type_coerce(table.c.state, String).concat("") == state.value)


def move(connection: Connection, table: Table, ids: Collection[str], old: StrEnum, new: StrEnum, **values: Any) -> int:
    """Move the rows that are still in `old` to `new` and set `values`; return how many there were.

    A row that somebody else has moved in the meantime is left alone: the caller compares the number.
    """
    check_move(old, new)
    moved = 0
    for part in parts(ids):
        statement = update(table).where(still(table, part, old)).values(state=new, **values)
        moved += connection.execute(statement).rowcount
    return moved

"""The guarded state change: every one goes through `move`, which knows the legal moves and the state expected."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, Table, update

from connector.states import check_move


def move(connection: Connection, table: Table, ids: Sequence[str], old: StrEnum, new: StrEnum, **values: Any) -> int:
    """Move the rows that are still in `old` to `new` and set `values`; return how many there were.

    A row that somebody else has moved in the meantime is left alone: the caller compares the number.
    """
    check_move(old, new)
    if not ids:
        return 0
    statement = update(table).where(table.c.id.in_(ids), table.c.state == old).values(state=new, **values)
    return connection.execute(statement).rowcount

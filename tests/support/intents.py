"""The intent of one bulk call, written as the worker writes it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from connector.store import submissions
from connector.store.columns import Connection
from connector.store.submissions import Admit


def intend(
    connection: Connection, members: Sequence[Any], now: datetime, admit: Admit | None = None, *, field: str = "email"
) -> list[Any]:
    """Write the intent to delete by one field in the account `main`; return who is really part of it."""
    _, mine = submissions.intend(
        connection,
        account="main",
        deletion_api="identity-delete",
        lytics_table="user",
        field=field,
        members=members,
        now=now,
        admit=admit,
    )
    return mine

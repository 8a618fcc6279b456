"""The tables of what is known of sources beside their requests."""

from __future__ import annotations

from sqlalchemy import Column, String, Table

from connector.store.columns import UtcDateTime
from connector.store.tables import NAME, metadata

# When each secret was used, to the minute, so that a rotation can be finished.
key_uses = Table(
    "key_uses",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("secret_id", String(200), primary_key=True),
    Column("first_used_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime, nullable=False),
)

# Until when each source's own list of open tasks was looked through, and when that is done next.
rolls = Table(
    "rolls",
    metadata,
    Column("source", NAME, primary_key=True),
    Column("seen_until", UtcDateTime, nullable=False),
    Column("next_at", UtcDateTime, nullable=False),
)

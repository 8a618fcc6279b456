"""The tables of the stamps that a time-stamping authority gave to checkpoints of the audit log."""

from __future__ import annotations

from sqlalchemy import Column, Integer, String, Table, Text

from connector.store.columns import UtcDateTime
from connector.store.tables import metadata

# Written once, never changed. The row of the checkpoint stays as it was signed, so a stamp has one of its own.
stamps = Table(
    "stamps",
    metadata,
    # Of the checkpoint.
    Column("size", Integer, primary_key=True, autoincrement=False),
    # As the authority says it, to the second or finer.
    Column("stamped_at", UtcDateTime, nullable=False),
    # The beginning of the SHA-256 of the authority's certificate.
    Column("authority", String(16), nullable=False),
    # The token of RFC 3161 in base64.
    Column("token", Text, nullable=False),
)

# One row: when the authority may be asked next. Whoever asks takes the turn first, so that two never ask at once.
stamp_turn = Table(
    "stamp_turn",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("next_at", UtcDateTime, nullable=False),
    # Tries in a row that gave no stamp.
    Column("failures", Integer, nullable=False, default=0),
)

"""The table of data keys: one for each request, for as long as its personal values can be read."""

from __future__ import annotations

from sqlalchemy import Column, ForeignKey, Index, String, Table

from connector.store.tables import metadata

# Without its row, nothing personal of a request can be opened: to delete the row is to destroy the values.
data_keys = Table(
    "data_keys",
    metadata,
    Column("request_id", ForeignKey("requests.id"), primary_key=True),
    # Which of the configured keys opens it.
    Column("kek_id", String(16), nullable=False),
    Column("wrapped", String(100), nullable=False),
    # What is still under which key: a rotation goes on where it ended.
    Index("ix_data_keys_kek_id_request_id", "kek_id", "request_id"),
)

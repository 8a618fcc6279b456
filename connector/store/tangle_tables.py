"""The table of what people let pass: requests whose profile may be several people's."""

from __future__ import annotations

from sqlalchemy import JSON, Column, ForeignKey, Table

from connector.store.columns import UtcDateTime
from connector.store.tables import ID, metadata

# How many identifiers, by table and field, somebody has seen and let pass. Counts, never a value.
tangle_releases = Table(
    "tangle_releases",
    metadata,
    Column("request_id", ID, ForeignKey("requests.id"), primary_key=True),
    Column("accepted", JSON, nullable=False),
    Column("released_at", UtcDateTime, nullable=False),
)
